#include "hv/vmx/permission_maps.hpp"

#include "hv/arch/registers.hpp"
#include "hv/memory/layout.hpp"

#include <array>
#include <initializer_list>

namespace skep::hv::vmx {

namespace {

constexpr u32 kFirstHigh = 0xc000'0000, kRange = 0x2000;

struct alignas(kPageSize) MsrBitmap {
    std::array<u8, kPageSize> bits{};

    // MSRs outside the two ranges always leave.
    constexpr void leave(u32 index, bool reads, bool writes) {
        const u32 half = index >= kFirstHigh ? 1024 : 0;
        const u32 n = index & (kRange - 1);
        set(half + n / 8, n % 8, reads);
        set(2048 + half + n / 8, n % 8, writes);
    }
    constexpr void set(u32 byte, u32 bit, bool on) {
        bits[byte] = static_cast<u8>(on ? bits[byte] | 1u << bit : bits[byte] & ~(1u << bit));
    }
};

constexpr MsrBitmap make_root() {
    MsrBitmap bitmap;
    bitmap.leave(msr::kFeatureControl, true, true);
    for (u32 index : {msr::kStar, msr::kLstar, msr::kCstar, msr::kFmask, msr::kTscAux})
        bitmap.leave(index, false, true);
    for (u32 index = 0x480; index <= 0x493; ++index)  // IA32_VMX_*
        bitmap.leave(index, true, true);
    // What would move the local APIC's page, through which hv sends its own interrupts, or make the
    // CPU itself write trace to addresses of the root domain's choice while hv runs.
    constexpr u32 kPebsEnable = 0x3f1, kDsArea = 0x600, kProcessorTrace = 0x560,
                  kProcessorTraceEnd = 0x588;
    bitmap.leave(msr::kApicBase, false, true);
    bitmap.leave(kPebsEnable, false, true);
    bitmap.leave(kDsArea, false, true);
    for (u32 index = kProcessorTrace; index < kProcessorTraceEnd; ++index)
        bitmap.leave(index, false, true);
    return bitmap;
}

constexpr MsrBitmap make_guest() {
    MsrBitmap bitmap;
    bitmap.bits.fill(0xff);
    for (u32 index : {msr::kSysenterCs, msr::kSysenterEsp, msr::kSysenterEip, msr::kFsBase,
                      msr::kGsBase, msr::kKernelGsBase})
        bitmap.leave(index, false, false);
    for (u32 index : {msr::kEfer, msr::kStar, msr::kLstar, msr::kCstar, msr::kFmask})
        bitmap.leave(index, false, true);
    return bitmap;
}

constinit const MsrBitmap root_bitmap = make_root();
constinit const MsrBitmap guest_bitmap = make_guest();

}  // namespace

Hpa root_msr_bitmap() {
    return physical(&root_bitmap);
}
Hpa guest_msr_bitmap() {
    return physical(&guest_bitmap);
}

}  // namespace skep::hv::vmx
