// Address spaces on CPUs.
#pragma once

#include <kernel/arch/x86_64/percpu.hpp>

#include <cstdint>

namespace skep::kernel {

class Thread;
class VmMap;

// On a switch to a program's thread: loads its map unless it is loaded already. Kernel threads keep
// what was there. Interrupts masked.
void load_address_space(Cpu& cpu, const Thread& next);
// For a thread without a process: the map stays loaded, in case its program comes next, but nothing
// of it is used, and changes to it are nothing that this CPU must hear of at once.
void leave_address_space(Cpu& cpu);
// The current process got another map (exec).
void switch_address_space(VmMap& map);
// The kernel's own mappings, of which some went away, are forgotten by every CPU. As flush_tlb()
// (vm_map.hpp).
void flush_kernel_tlb();
// The TLB vector's work.
void handle_tlb_interrupt();

}  // namespace skep::kernel
