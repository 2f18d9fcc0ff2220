// The fields of the VMCS (SDM vol. 3, appendix B), in the manual's order and spelling, and access
// to those of the current one. The width of a field is part of its encoding (24.11.2) and of its
// type.
#pragma once

#include "hv/lib/types.hpp"

namespace skep::hv::vmx {

enum class Field16 : u32 {
    VirtualProcessorIdentifier = 0x0000,
    PostedInterruptNotificationVector = 0x0002,
    GuestEsSelector = 0x0800,  // then CS, SS, DS, FS, GS, LDTR, TR in steps of 2
    GuestInterruptStatus = 0x0810,
    PmlIndex = 0x0812,
    HostEsSelector = 0x0c00,
    HostCsSelector = 0x0c02,
    HostSsSelector = 0x0c04,
    HostDsSelector = 0x0c06,
    HostFsSelector = 0x0c08,
    HostGsSelector = 0x0c0a,
    HostTrSelector = 0x0c0c,
};

enum class Field64 : u32 {
    MsrBitmaps = 0x2004,
    PmlAddress = 0x200e,
    TscOffset = 0x2010,
    VirtualApicPage = 0x2012,
    ApicAccessPage = 0x2014,
    PostedInterruptDescriptor = 0x2016,
    EptPointer = 0x201a,
    EoiExitBitmap0 = 0x201c,  // then 1, 2, 3 in steps of 2
    XssExitingBitmap = 0x202c,
    GuestPhysicalAddress = 0x2400,
    VmcsLinkPointer = 0x2800,
    GuestIa32Debugctl = 0x2802,
    GuestIa32Pat = 0x2804,
    GuestIa32Efer = 0x2806,
    GuestPdpte0 = 0x280a,  // then 1, 2, 3 in steps of 2
    HostIa32Pat = 0x2c00,
    HostIa32Efer = 0x2c02,
};

enum class Field32 : u32 {
    PinBasedControls = 0x4000,
    PrimaryControls = 0x4002,
    ExceptionBitmap = 0x4004,
    PageFaultErrorCodeMask = 0x4006,
    PageFaultErrorCodeMatch = 0x4008,
    Cr3TargetCount = 0x400a,
    ExitControls = 0x400c,
    ExitMsrStoreCount = 0x400e,
    ExitMsrLoadCount = 0x4010,
    EntryControls = 0x4012,
    EntryMsrLoadCount = 0x4014,
    EntryInterruptionInformation = 0x4016,
    EntryExceptionErrorCode = 0x4018,
    EntryInstructionLength = 0x401a,
    TprThreshold = 0x401c,
    SecondaryControls = 0x401e,
    VmInstructionError = 0x4400,
    ExitReason = 0x4402,
    ExitInterruptionInformation = 0x4404,
    ExitInterruptionErrorCode = 0x4406,
    IdtVectoringInformation = 0x4408,
    IdtVectoringErrorCode = 0x440a,
    ExitInstructionLength = 0x440c,
    GuestEsLimit = 0x4800,  // then CS, SS, DS, FS, GS, LDTR, TR in steps of 2
    GuestGdtrLimit = 0x4810,
    GuestIdtrLimit = 0x4812,
    GuestEsAccessRights = 0x4814,  // in steps of 2 as the limits
    GuestInterruptibilityState = 0x4824,
    GuestActivityState = 0x4826,
    GuestSysenterCs = 0x482a,
    PreemptionTimerValue = 0x482e,
    HostSysenterCs = 0x4c00,
};

enum class FieldNatural : u32 {
    Cr0GuestHostMask = 0x6000,
    Cr4GuestHostMask = 0x6002,
    Cr0ReadShadow = 0x6004,
    Cr4ReadShadow = 0x6006,
    ExitQualification = 0x6400,
    GuestCr0 = 0x6800,
    GuestCr3 = 0x6802,
    GuestCr4 = 0x6804,
    GuestEsBase = 0x6806,  // then CS, SS, DS, FS, GS, LDTR, TR in steps of 2
    GuestGdtrBase = 0x6816,
    GuestIdtrBase = 0x6818,
    GuestDr7 = 0x681a,
    GuestRsp = 0x681c,
    GuestRip = 0x681e,
    GuestRflags = 0x6820,
    GuestPendingDebugExceptions = 0x6822,
    GuestSysenterEsp = 0x6824,
    GuestSysenterEip = 0x6826,
    HostCr0 = 0x6c00,
    HostCr3 = 0x6c02,
    HostCr4 = 0x6c04,
    HostFsBase = 0x6c06,
    HostGsBase = 0x6c08,
    HostTrBase = 0x6c0a,
    HostGdtrBase = 0x6c0c,
    HostIdtrBase = 0x6c0e,
    HostSysenterEsp = 0x6c10,
    HostSysenterEip = 0x6c12,
    HostRsp = 0x6c14,
    HostRip = 0x6c16,
};

// The field `steps` places after the first of a run that is laid out in steps of 2 (segments,
// PDPTEs).
template <class Field>
constexpr Field stepped(Field first, unsigned steps) {
    return static_cast<Field>(static_cast<u32>(first) + 2 * steps);
}

namespace detail {
inline u64 vmread(u32 field) {
    u64 value;
    asm volatile("vmread %1, %0" : "=rm"(value) : "r"(static_cast<u64>(field)) : "cc");
    return value;
}
inline void vmwrite(u32 field, u64 value) {
    asm volatile("vmwrite %0, %1" : : "rm"(value), "r"(static_cast<u64>(field)) : "cc", "memory");
}
}  // namespace detail

// Of the current VMCS. They fail only where there is none or the field does not exist, and hv uses
// no field whose existence depends on a feature it has not found.
inline u16 vmread(Field16 f) {
    return static_cast<u16>(detail::vmread(static_cast<u32>(f)));
}
inline u32 vmread(Field32 f) {
    return static_cast<u32>(detail::vmread(static_cast<u32>(f)));
}
// Straight to memory.
inline void vmread(FieldNatural f, u64& value) {
    asm volatile("vmread %1, %0" : "=m"(value) : "r"(static_cast<u64>(f)) : "cc");
}
inline u64 vmread(Field64 f) {
    return detail::vmread(static_cast<u32>(f));
}
inline u64 vmread(FieldNatural f) {
    return detail::vmread(static_cast<u32>(f));
}
inline void vmwrite(Field16 f, u16 value) {
    detail::vmwrite(static_cast<u32>(f), value);
}
inline void vmwrite(Field32 f, u32 value) {
    detail::vmwrite(static_cast<u32>(f), value);
}
inline void vmwrite(Field64 f, u64 value) {
    detail::vmwrite(static_cast<u32>(f), value);
}
inline void vmwrite(FieldNatural f, u64 value) {
    detail::vmwrite(static_cast<u32>(f), value);
}

// VMXON, VMCLEAR and VMPTRLD take the address of a 64-bit physical address; the carry or zero flag
// says that they failed (SDM vol. 3, 31.2).
inline bool vmxon(u64 region) {
    bool failed;
    asm volatile("vmxon %1" : "=@ccbe"(failed) : "m"(region) : "memory");
    return !failed;
}
inline bool vmclear(const u64& region) {
    bool failed;
    asm volatile("vmclear %1" : "=@ccbe"(failed) : "m"(region) : "memory");
    return !failed;
}
inline bool vmptrld(const u64& region) {
    bool failed;
    asm volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(region) : "memory");
    return !failed;
}

struct InvalidationDescriptor {
    u64 identifier;  // EPT pointer, or VPID
    u64 address;
};
enum class Invalidation : u64 {
    SingleContext = 1,
    AllContexts = 2
};

inline void invept(Invalidation type, const InvalidationDescriptor& descriptor) {
    asm volatile("invept %0, %1" : : "m"(descriptor), "r"(static_cast<u64>(type)) : "cc", "memory");
}
inline void invvpid(Invalidation type, const InvalidationDescriptor& descriptor) {
    asm volatile("invvpid %0, %1"
                 :
                 : "m"(descriptor), "r"(static_cast<u64>(type))
                 : "cc", "memory");
}

}  // namespace skep::hv::vmx
