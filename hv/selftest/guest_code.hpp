// The snippets of guest_code.S.
#pragma once

#include "hv/selftest/guest.hpp"

#define GUEST_CODE(name)                                \
    extern "C" const skep::hv::u8 name[], name##_end[]; \
    namespace skep::hv::selftest::code {                \
    inline const Code name{::name, ::name##_end};       \
    }

GUEST_CODE(real_io)
GUEST_CODE(real_string_io)
GUEST_CODE(real_string_out)
GUEST_CODE(real_triple_fault)
GUEST_CODE(real_ipi_target)
GUEST_CODE(long_cpuid)
GUEST_CODE(long_cpuid_loop)
GUEST_CODE(long_out_loop)
GUEST_CODE(long_mmio)
GUEST_CODE(long_mmio_widths)
GUEST_CODE(long_cr_faults)
GUEST_CODE(long_exits)
GUEST_CODE(long_benign)
GUEST_CODE(handler_next)
GUEST_CODE(long_msr)
GUEST_CODE(long_hlt)
GUEST_CODE(long_sti_hlt)
GUEST_CODE(long_spin)
GUEST_CODE(long_spin_sti)
GUEST_CODE(handler_xapic)
GUEST_CODE(handler_x2apic)
GUEST_CODE(handler_plain)
GUEST_CODE(handler_error)
GUEST_CODE(handler_skip_3)
GUEST_CODE(long_xapic_timer)
GUEST_CODE(long_tsc_deadline)
GUEST_CODE(long_enable_apic)
GUEST_CODE(long_ipi_sender)
GUEST_CODE(long_tpr)
GUEST_CODE(long_shadow)
GUEST_CODE(long_fill)
GUEST_CODE(long_state)
GUEST_CODE(long_forbidden)
GUEST_CODE(long_xsetbv)
GUEST_CODE(long_cr)
GUEST_CODE(long_sled)
GUEST_CODE(mode_walk)
GUEST_CODE(task_walk)
extern "C" const skep::hv::u8 task_walk_b[], task_walk_c[];

namespace skep::hv::selftest {
inline constexpr u64 kHandler = 0x18000;
}
