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

// Reads: what the APIC's page holds as it reads; not the ICR (64 bits) nor the current count.
// Writes: TPR, EOI and self-IPI.
constexpr MsrBitmap make_guest_x2apic() {
    MsrBitmap bitmap = make_guest();
    constexpr std::array<std::array<u32, 2>, 6> kReadable = {{{0x802, 0x803},
                                                              {0x808, 0x808},
                                                              {0x80a, 0x80a},
                                                              {0x80d, 0x80d},
                                                              {0x80f, 0x828},
                                                              {0x832, 0x838}}};
    for (const auto& [first, last] : kReadable) {
        for (u32 index = first; index <= last; ++index)
            bitmap.leave(index, false, true);
    }
    bitmap.leave(0x83e, false, true);
    bitmap.leave(0x808, false, false);
    bitmap.leave(0x80b, true, false);
    bitmap.leave(0x83f, true, false);
    return bitmap;
}

constinit const MsrBitmap root_bitmap = make_root();
constinit const MsrBitmap guest_bitmap = make_guest();
constinit const MsrBitmap guest_x2apic_bitmap = make_guest_x2apic();

}  // namespace

Hpa root_msr_bitmap() {
    return physical(&root_bitmap);
}
Hpa guest_msr_bitmap() {
    return physical(&guest_bitmap);
}
Hpa guest_x2apic_msr_bitmap() {
    return physical(&guest_x2apic_bitmap);
}

}  // namespace skep::hv::vmx
