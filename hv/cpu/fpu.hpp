// The extended state (x87 to AVX-512, PKRU): which components hv switches, and the switch.
//
// It is eager: the guest's state is in the registers while a vCPU runs, and the root domain's is
// its own business around vcpu_run (hv/abi). XCR0 holds all components during a switch, so that one
// that the guest has turned off keeps its contents.
#pragma once

#include "hv/lib/result.hpp"
#include "hv/lib/types.hpp"

#include <array>
#include <span>

namespace skep::hv {

namespace xcr0 {
inline constexpr u64 kX87 = 1 << 0, kSse = 1 << 1, kAvx = 1 << 2, kAvx512 = 7 << 5, kPkru = 1 << 9;
}

// One frame is enough for every component in kSwitchable (PKRU ends at 2696).
struct alignas(64) XsaveArea {
    std::array<u8, 4096> bytes{};
};

// On each CPU. Panics where there is no XSAVE.
void init_fpu();
u64 fpu_components();  // XCR0 bits that hv switches
u32 fpu_area_size();   // of the standard form with all of them

bool valid_xcr0(u64 value);

// RESET state (SDM vol. 3, table 10-1), into an area.
void fpu_reset(XsaveArea& area);
// Invalid where XRSTOR would fault or hv does not switch a component.
Status fpu_check(std::span<const u8> area);

// Registers <-> area. The guest's XCR0 is in force between the two, the root domain's outside of
// them.
u64 fpu_switch_in(const XsaveArea& area, u64 guest_xcr0);  // -> the root domain's XCR0
u64 fpu_switch_out(XsaveArea& area, u64 root_xcr0);        // -> the guest's XCR0

}  // namespace skep::hv
