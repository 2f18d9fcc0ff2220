// Loads an ELF64 executable as a Multiboot2 loader would: PT_LOAD segments to their p_paddr.
#pragma once

#include "hv/lib/result.hpp"
#include "hv/memory/address.hpp"

#include <span>

namespace skep::hv {

// Where loaded segments may go, and how to reach that memory.
struct LoadWindow {
    u64 base, size;  // physical
    u8* memory;      // at `base`
};

// Returns the physical entry address. Invalid: no x86-64 executable, or a segment outside of the
// window or of the file.
Result<u32> load_elf(std::span<const u8> file, const LoadWindow& window);

}  // namespace skep::hv
