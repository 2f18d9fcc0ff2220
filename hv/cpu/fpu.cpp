#include "hv/cpu/fpu.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/lib/panic.hpp"

#include <algorithm>
#include <cstring>

namespace skep::hv {

namespace {

constexpr u64 kSwitchable = xcr0::kX87 | xcr0::kSse | xcr0::kAvx | xcr0::kAvx512 | xcr0::kPkru;
constexpr u32 kCpuidXsave = 1u << 26;  // leaf 1, ECX

// XSAVE area, SDM vol. 1, 13.4.
constexpr std::size_t kFcw = 0, kMxcsr = 24, kMxcsrMask = 28, kHeader = 512, kXcompBv = 520,
                      kExtended = 576;
constexpr u32 kMxcsrReset = 0x1f80;

u64 components = 0;
u32 area_size = 0;
u32 mxcsr_mask = 0xffbf;

template <class T>
T load(std::span<const u8> area, std::size_t offset) {
    T value;
    std::memcpy(&value, area.data() + offset, sizeof value);
    return value;
}

}  // namespace

void init_fpu() {
    if ((cpuid(1).ecx & kCpuidXsave) == 0)
        panic("the CPU has no XSAVE");
    write_cr4(read_cr4() | cr4::kOsfxsr | cr4::kOsxmmexcpt | cr4::kOsxsave);
    const CpuidResult supported = cpuid(0xd);
    components = (supported.eax | static_cast<u64>(supported.edx) << 32) & kSwitchable;
    area_size = kExtended;
    for (unsigned bit = 2; bit < 10; ++bit) {
        if ((components >> bit & 1) != 0) {
            const CpuidResult component = cpuid(0xd, bit);
            area_size = std::max(area_size, component.eax + component.ebx);
        }
    }
    alignas(16) u8 image[512] = {};
    asm volatile("fxsave64 %0" : "=m"(image));
    u32 mask;
    std::memcpy(&mask, image + kMxcsrMask, 4);
    mxcsr_mask = mask != 0 ? mask : 0xffbf;
}

u64 fpu_components() {
    return components;
}
u32 fpu_area_size() {
    return area_size;
}

bool valid_xcr0(u64 value) {
    // SDM vol. 1, 13.3: x87 always; AVX needs SSE; AVX-512 needs AVX and comes whole.
    if ((value & xcr0::kX87) == 0 || (value & ~components) != 0)
        return false;
    if ((value & xcr0::kAvx) != 0 && (value & xcr0::kSse) == 0)
        return false;
    const u64 avx512 = value & xcr0::kAvx512;
    return avx512 == 0 || (avx512 == xcr0::kAvx512 && (value & xcr0::kAvx) != 0);
}

void fpu_reset(XsaveArea& area) {
    area.bytes.fill(0);
    // XSTATE_BV 0: XRSTOR loads every component's initial state. MXCSR alone is read all the same.
    const u16 fcw = 0x40;
    std::memcpy(area.bytes.data() + kFcw, &fcw, 2);
    std::memcpy(area.bytes.data() + kMxcsr, &kMxcsrReset, 4);
    const u64 present = xcr0::kX87;
    std::memcpy(area.bytes.data() + kHeader, &present, 8);
}

Status fpu_check(std::span<const u8> area) {
    if (area.size() < kExtended || area.size() > sizeof(XsaveArea))
        return fail(abi::Error::Invalid);
    const u64 present = load<u64>(area, kHeader);
    // SDM vol. 1, 13.8: what makes XRSTOR fault. Bytes 8..63 of the header are zero in standard
    // form.
    const auto rest = area.subspan(kXcompBv, kExtended - kXcompBv);
    if ((present & ~components) != 0 ||
        std::any_of(rest.begin(), rest.end(), [](u8 byte) { return byte != 0; }) ||
        (load<u32>(area, kMxcsr) & ~mxcsr_mask) != 0)
        return fail(abi::Error::Invalid);
    if ((present & ~u64{3}) != 0 && area.size() < area_size)
        return fail(abi::Error::Invalid);
    return {};
}

u64 fpu_switch_in(const XsaveArea& area, u64 guest_xcr0) {
    const u64 root_xcr0 = read_xcr0();
    if (root_xcr0 != components)
        write_xcr0(components);
    xrstor(area.bytes.data());
    if (guest_xcr0 != components)
        write_xcr0(guest_xcr0);
    return root_xcr0;
}

u64 fpu_switch_out(XsaveArea& area, u64 root_xcr0) {
    // Read back: QEMU 7.2 does not intercept XSETBV on SVM.
    const u64 guest_xcr0 = read_xcr0();
    if (guest_xcr0 != components)
        write_xcr0(components);
    xsave(area.bytes.data());
    if (root_xcr0 != components)
        write_xcr0(root_xcr0);
    return guest_xcr0 & components;
}

}  // namespace skep::hv
