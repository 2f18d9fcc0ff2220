// The kernel's own address space: direct map, image, devices, thread stacks.
#pragma once

#include <kernel/mm/page_table.hpp>

namespace skep::kernel {

// Replaces the boot tables: direct map up to `ram_end`, the image with text read-only and data
// not executable. Frames must be available.
void init_kernel_map(PhysAddr ram_end);
const PageTable& kernel_page_table();

// A stack of kKernelStackSize with an absent page below it. -> its upper end.
inline constexpr std::size_t kKernelStackSize = 32 * 1024;
Result<std::uint64_t> allocate_kernel_stack();
void free_kernel_stack(std::uint64_t top);
// The thread that gives the memory of superfluous stacks back.
void start_stack_reaper();

}  // namespace skep::kernel
