// A guest's own view of memory: its page tables, walked in software, for fetching instructions.
//
// Templated on how guest-physical memory is read, so that it runs on the build host too:
// `memory(gpa)` returns a pointer to the byte, valid to the end of its 4 KiB page, or nullptr;
// `used(gpa, leaf)` is told of each entry that has an accessed flag, and whether it maps a page.
#pragma once

#include "hv/arch/registers.hpp"
#include "hv/memory/address.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <span>

namespace skep::hv {

struct PagingMode {
    u64 cr0, cr3, cr4, efer;
};

// SDM vol. 3, chapter 4. Access rights are not checked: the CPU has just fetched from there.
inline constexpr auto kNoFlags = [](Gpa, bool) {};
template <class Memory, class Used = decltype(kNoFlags)>
std::optional<Gpa> walk(const PagingMode& mode, u64 linear, Memory memory, Used used = kNoFlags) {
    if ((mode.cr0 & cr0::kPg) == 0)
        return Gpa{linear & 0xffff'ffff};
    const auto load = [&](u64 address, unsigned size) -> std::optional<u64> {
        const u8* bytes = memory(Gpa{address});
        u64 entry = 0;
        if (bytes == nullptr)
            return std::nullopt;
        std::memcpy(&entry, bytes, size);
        if ((entry & 1) == 0)
            return std::nullopt;
        return entry;
    };
    constexpr u64 kLarge = 1 << 7, kFrame = 0x000f'ffff'ffff'f000;

    if ((mode.cr4 & cr4::kPae) == 0) {
        linear &= 0xffff'ffff;
        const u64 directory_at = (mode.cr3 & 0xffff'f000) + (linear >> 22) * 4;
        const auto directory = load(directory_at, 4);
        if (!directory)
            return std::nullopt;
        const bool large = (*directory & kLarge) != 0 && (mode.cr4 & cr4::kPse) != 0;
        used(Gpa{directory_at}, large);
        if (large) {
            const u64 high = *directory >> 13 & 0xff;  // PSE-36
            return Gpa{high << 32 | (*directory & 0xffc0'0000) | (linear & 0x3f'ffff)};
        }
        const u64 page_at = (*directory & 0xffff'f000) + (linear >> 12 & 0x3ff) * 4;
        const auto page = load(page_at, 4);
        if (!page)
            return std::nullopt;
        used(Gpa{page_at}, true);
        return Gpa{(*page & 0xffff'f000) | (linear & 0xfff)};
    }

    const bool long_mode = (mode.efer & efer::kLma) != 0;
    unsigned level = long_mode ? ((mode.cr4 & cr4::kLa57) != 0 ? 5 : 4) : 3;
    if (!long_mode)
        linear &= 0xffff'ffff;
    u64 table = long_mode ? mode.cr3 & kFrame : mode.cr3 & 0xffff'ffe0;
    for (;; --level) {
        const unsigned shift = 12 + 9 * (level - 1);
        const u64 at = table + (linear >> shift & 0x1ff) * 8;
        const auto entry = load(at, 8);
        if (!entry)
            return std::nullopt;
        const bool leaf = level == 1 || (level <= 3 && (*entry & kLarge) != 0);
        if (long_mode || level < 3)
            used(Gpa{at}, leaf);
        if (leaf) {
            const u64 offset = (u64{1} << shift) - 1;
            return Gpa{(*entry & kFrame & ~offset) | (linear & offset)};
        }
        table = *entry & kFrame;
    }
}

// Copies from a linear address as far as it is mapped; returns how many bytes.
template <class Memory>
std::size_t read_linear(const PagingMode& mode, u64 linear, std::span<u8> out, Memory memory) {
    std::size_t done = 0;
    while (done < out.size()) {
        const auto gpa = walk(mode, linear + done, memory);
        const u8* bytes = gpa ? memory(*gpa) : nullptr;
        if (bytes == nullptr)
            break;
        const std::size_t count = std::min(out.size() - done, kPageSize - gpa->offset());
        std::memcpy(out.data() + done, bytes, count);
        done += count;
    }
    return done;
}

}  // namespace skep::hv
