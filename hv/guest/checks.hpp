// Which values a guest's registers can have at all. What passes can be loaded without a fault in
// hv; combinations that only the CPU's entry checks judge end in ExitReason::EntryFailed.
#pragma once

#include "hv/arch/registers.hpp"
#include "hv/cpu/features.hpp"
#include "hv/guest/cpuid_table.hpp"

#include <optional>

namespace skep::hv {

inline u64 address_mask() {
    return (u64{1} << physical_bits()) - 1;
}

constexpr bool canonical(u64 address) {
    const i64 sign = static_cast<i64>(address) >> 47;
    return sign == 0 || sign == -1;
}

// The MSRs of SYSCALL and SYSRET (SDM vol. 3, 5.8.8), as fields; nothing: another one.
constexpr std::optional<abi::Field> syscall_field(u32 index) {
    switch (index) {
        case msr::kStar:
            return abi::Field::Star;
        case msr::kLstar:
            return abi::Field::Lstar;
        case msr::kCstar:
            return abi::Field::Cstar;
        case msr::kFmask:
            return abi::Field::Fmask;
        default:
            return std::nullopt;
    }
}
constexpr bool valid_syscall_field(abi::Field field, u64 value) {
    if (field == abi::Field::Fmask)
        return value >> 32 == 0;
    return field == abi::Field::Star || canonical(value);
}

constexpr bool valid_pat(u64 value) {
    for (unsigned i = 0; i < 8; ++i) {
        const u64 type = value >> 8 * i & 0xff;
        if (type > 7 || type == 2 || type == 3)
            return false;
    }
    return true;
}

inline u64 valid_efer_bits(const CpuidTable& table) {
    constexpr unsigned kEdx = 3;
    return efer::kSce | (table.has(0x8000'0001, kEdx, 20) ? efer::kNxe : 0) |
           (table.has(0x8000'0001, kEdx, 29) ? efer::kLme | efer::kLma : 0) |
           (table.has(0x8000'0001, kEdx, 25) ? efer::kFfxsr : 0);
}

constexpr u64 kValidCr0 = cr0::kPe | cr0::kMp | cr0::kEm | cr0::kTs | cr0::kEt | cr0::kNe |
                          cr0::kWp | cr0::kAm | cr0::kNw | cr0::kCd | cr0::kPg;
constexpr u64 kValidCr4 = cr4::kVme | cr4::kPvi | cr4::kTsd | cr4::kDe | cr4::kPse | cr4::kPae |
                          cr4::kMce | cr4::kPge | cr4::kPce | cr4::kOsfxsr | cr4::kOsxmmexcpt |
                          cr4::kUmip | cr4::kFsgsbase | cr4::kPcide | cr4::kOsxsave | cr4::kSmep |
                          cr4::kSmap | cr4::kPke;

constexpr bool valid_cr0(u64 value) {
    return (value & ~kValidCr0) == 0 && !((value & cr0::kNw) != 0 && (value & cr0::kCd) == 0) &&
           !((value & cr0::kPg) != 0 && (value & cr0::kPe) == 0);
}

}  // namespace skep::hv
