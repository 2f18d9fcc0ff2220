// Start-up of memory management, in the order of kernel_main.
#pragma once

#include <kernel/mm/physical.hpp>

namespace skep::kernel {

struct BootInformation;

// Frames, the direct map, the kernel's page tables. The heap works afterwards.
void init_physical_memory(const BootInformation& boot);
// Gives the whole pages of a boot module that nobody reads any more to the allocator.
void free_boot_memory(PhysAddr start, PhysAddr end);

}  // namespace skep::kernel
