// The processor's own task switch (SDM vol. 3, chapter 8.3), which VT-x leaves to software.
#pragma once

#include "hv/lib/types.hpp"

#include <array>

namespace skep::hv {

// A task state segment, 16 or 32 bits wide.
struct Task {
    u32 cr3 = 0, eip = 0, eflags = 0;
    std::array<u32, 8> general{};    // in the order of the ModRM encoding
    std::array<u16, 6> selectors{};  // ES CS SS DS FS GS
    u16 ldtr = 0;
    bool trap = false;
};

// SDM vol. 3, figures 8-2 and 8-10.
struct Tss32 {
    u32 link, stacks[6], cr3, eip, eflags, general[8], selectors[6], ldtr;
    u16 trap, io_map;
};
static_assert(sizeof(Tss32) == 104);
struct Tss16 {
    u16 link, stacks[6], ip, flags, general[8], selectors[4], ldtr;
};
static_assert(sizeof(Tss16) == 44);

// An 8-byte descriptor of a segment or a task (SDM vol. 3, figure 3-8).
struct Descriptor {
    u64 raw = 0;

    u32 base() const {
        return static_cast<u32>((raw >> 16 & 0xff'ffff) | (raw >> 56 & 0xff) << 24);
    }
    u32 limit() const {
        const u32 limit = static_cast<u32>((raw & 0xffff) | (raw >> 48 & 0xf) << 16);
        return (raw >> 55 & 1) != 0 ? limit << 12 | 0xfff : limit;
    }
    // Access rights as the SDM's table 25-2 has them.
    u32 access() const { return static_cast<u32>(raw >> 40 & 0xf0ff); }
    unsigned type() const { return raw >> 40 & 0xf; }
    bool is_segment() const { return (raw >> 44 & 1) != 0; }
    bool is_code() const { return is_segment() && (type() & 8) != 0; }
    bool is_conforming() const { return is_code() && (type() & 4) != 0; }
    bool is_readable() const { return is_segment() && (!is_code() || (type() & 2) != 0); }
    bool is_writable() const { return is_segment() && !is_code() && (type() & 2) != 0; }
    unsigned dpl() const { return raw >> 45 & 3; }
    bool present() const { return (raw >> 47 & 1) != 0; }
};

}  // namespace skep::hv
