// Which MSRs leave (SDM vol. 3, 25.6.9): one bitmap for the root domain's CPUs, one for all guests.
#pragma once

#include "hv/memory/address.hpp"

namespace skep::hv::vmx {

// Of the root domain: only what would show or undo VMX.
Hpa root_msr_bitmap();
// Of guests: all but the registers that are loaded while the guest runs.
Hpa guest_msr_bitmap();
// Where the CPU answers for an x2APIC.
Hpa guest_x2apic_msr_bitmap();

}  // namespace skep::hv::vmx
