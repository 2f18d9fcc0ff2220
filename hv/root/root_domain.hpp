// The root domain: the control kernel's side of the machine, deprivileged, with everything but hv's
// memory and the virtualization instructions passed straight through.
#pragma once

#include "hv/cpu/cpu.hpp"
#include "hv/lib/result.hpp"

namespace skep::hv {

// Its second-level tables (guest-physical = host-physical, hv's frames left out) and its boot CPU.
void root_domain_create(Cpu& cpu);

// On the boot CPU: enters the root domain for good.
[[noreturn]] void root_domain_start(Cpu& cpu, const RootEntry& entry);

// On every other CPU: gets everything ready and waits for `root_domain_release`.
[[noreturn]] void root_domain_park(Cpu& cpu);

// Lets a parked CPU go. Exists: it is running already.
Status root_domain_release(Cpu& cpu, u32 entry, u32 argument);

// After a change of its tables: returns when no CPU uses what they said before, and every hypercall
// that was under way on another CPU is over (vcpu_run apart). The caller holds no lock.
void root_domain_drop_translations(const Cpu& self);

}  // namespace skep::hv
