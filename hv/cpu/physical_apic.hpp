// The calling CPU's own local APIC, as far as hv needs it: identity and interprocessor interrupts.
// It belongs to the root domain otherwise, in whichever mode the root domain has put it.
#pragma once

#include "hv/lib/types.hpp"

namespace skep::hv {

u32 physical_apic_id();

// SDM vol. 3, 11.6.1. Waits for delivery and keeps the upper half of the ICR (the root domain may
// be between its two writes).
enum class Ipi : u32 {
    Fixed = 0x4000,
    Nmi = 0x4400,
    Init = 0x4500,
    Startup = 0x4600
};
void send_ipi(u32 apic_id, Ipi kind, u8 vector = 0);

}  // namespace skep::hv
