// Bits of control registers, RFLAGS and EFER; numbers of MSRs. Names as in the SDM and the APM.
#pragma once

#include "hv/lib/types.hpp"

namespace skep::hv {

namespace cr0 {
inline constexpr u64 kPe = 1u << 0, kMp = 1u << 1, kEm = 1u << 2, kTs = 1u << 3, kEt = 1u << 4,
                     kNe = 1u << 5, kWp = 1u << 16, kAm = 1u << 18, kNw = 1u << 29, kCd = 1u << 30,
                     kPg = 1u << 31;
}
namespace cr4 {
inline constexpr u64 kVme = 1 << 0, kPvi = 1 << 1, kTsd = 1 << 2, kDe = 1 << 3, kPse = 1 << 4,
                     kPae = 1 << 5, kMce = 1 << 6, kPge = 1 << 7, kPce = 1 << 8, kOsfxsr = 1 << 9,
                     kOsxmmexcpt = 1 << 10, kUmip = 1 << 11, kLa57 = 1 << 12, kVmxe = 1 << 13,
                     kSmxe = 1 << 14, kFsgsbase = 1 << 16, kPcide = 1 << 17, kOsxsave = 1 << 18,
                     kSmep = 1 << 20, kSmap = 1 << 21, kPke = 1 << 22;
}
namespace efer {
inline constexpr u64 kSce = 1 << 0, kLme = 1 << 8, kLma = 1 << 10, kNxe = 1 << 11, kSvme = 1 << 12,
                     kFfxsr = 1 << 14;
}
namespace rflags {
inline constexpr u64 kReserved1 = 1 << 1, kTf = 1 << 8, kIf = 1 << 9, kRf = 1 << 16, kVm = 1 << 17;
// Everything that is not defined, SDM vol. 1, 3.4.3.
inline constexpr u64 kMustBeZero = ~0x3f'7fd7ull;
}  // namespace rflags

namespace msr {
inline constexpr u32 kTsc = 0x10, kApicBase = 0x1b, kFeatureControl = 0x3a, kTscAdjust = 0x3b,
                     kSpecCtrl = 0x48, kBiosUpdateSignature = 0x8b, kMtrrCap = 0xfe,
                     kSysenterCs = 0x174, kSysenterEsp = 0x175, kSysenterEip = 0x176,
                     kMcgCap = 0x179, kMcgStatus = 0x17a, kMiscEnable = 0x1a0,
                     kMtrrPhysBase0 = 0x200, kMtrrFix64k = 0x250, kMtrrFix16k0 = 0x258,
                     kMtrrFix16k1 = 0x259, kMtrrFix4k0 = 0x268, kPat = 0x277, kMtrrDefType = 0x2ff,
                     kTscDeadline = 0x6e0, kX2ApicFirst = 0x800, kX2ApicLast = 0x8ff,
                     kEfer = 0xc000'0080, kStar = 0xc000'0081, kLstar = 0xc000'0082,
                     kCstar = 0xc000'0083, kFmask = 0xc000'0084, kFsBase = 0xc000'0100,
                     kGsBase = 0xc000'0101, kKernelGsBase = 0xc000'0102, kTscAux = 0xc000'0103;
}  // namespace msr

}  // namespace skep::hv
