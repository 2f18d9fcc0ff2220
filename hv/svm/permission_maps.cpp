#include "hv/svm/permission_maps.hpp"

#include "hv/arch/registers.hpp"
#include "hv/memory/layout.hpp"

#include <cstring>

namespace skep::hv::svm {

namespace {

constexpr u32 kVmCr = 0xc001'0114, kVmHsavePa = 0xc001'0117, kSvmKey = 0xc001'0118;

// Two bits per MSR: read, write. Three vectors of 8192 MSRs each.
class MsrMap {
  public:
    void fill(bool intercept) { std::memset(bits_, intercept ? 0xff : 0, sizeof bits_); }
    void set(u32 index, bool reads, bool writes) {
        const u32 vector = index >= 0xc001'0000 ? 2 : index >= 0xc000'0000 ? 1 : 0;
        const u32 bit = (vector * 8192 + (index & 0x1fff)) * 2;
        const u32 both = (reads ? 1u : 0) | (writes ? 2u : 0);
        bits_[bit / 8] = static_cast<u8>((bits_[bit / 8] & ~(3u << bit % 8)) | both << bit % 8);
    }
    Hpa address() const { return physical(bits_); }

  private:
    alignas(4096) u8 bits_[8192];
};

MsrMap guest_msrs, root_msrs;
alignas(4096) u8 ports[3 * 4096];

// What VMSAVE and VMLOAD switch.
constexpr u32 kSwitched[] = {
    msr::kSysenterCs, msr::kSysenterEsp, msr::kSysenterEip, msr::kStar,   msr::kLstar,
    msr::kCstar,      msr::kFmask,       msr::kFsBase,      msr::kGsBase, msr::kKernelGsBase,
};

// What the root domain may read and not write: the local APIC's page, through which hv sends its
// own interrupts, and what decides which physical addresses are memory (APM vol. 2, 7.9, 10.2.5).
constexpr u32 kKept[] = {
    msr::kApicBase,
    0xc001'0010,                                            // SYSCFG
    0xc001'0016,    0xc001'0017, 0xc001'0018, 0xc001'0019,  // IORRs
    0xc001'001a,    0xc001'001d,                            // TOP_MEM, TOP_MEM2
    0xc001'0111,    0xc001'0112, 0xc001'0113,               // SMM
};

}  // namespace

void build_permission_maps() {
    guest_msrs.fill(true);
    for (const u32 index : kSwitched)
        guest_msrs.set(index, false, false);
    root_msrs.fill(false);
    for (const u32 index : {msr::kEfer, msr::kTscAux, kVmCr, kVmHsavePa, kSvmKey})
        root_msrs.set(index, true, true);
    for (const u32 index : kKept)
        root_msrs.set(index, false, true);
    std::memset(ports, 0xff, sizeof ports);
}

Hpa io_map() {
    return physical(ports);
}
Hpa msr_map(Role role) {
    return role == Role::Root ? root_msrs.address() : guest_msrs.address();
}

}  // namespace skep::hv::svm
