#include "hv/vmx/capability.hpp"

#include "hv/arch/instructions.hpp"

namespace skep::hv::vmx {

namespace {

constinit Capabilities found{};

constexpr u64 bit(unsigned n) {
    return u64{1} << n;
}

// Bits of IA32_VMX_EPT_VPID_CAP (SDM vol. 3, A.10).
constexpr u64 kEptWalkLength4 = bit(6), kEptWriteBack = bit(14), kEpt2M = bit(16), kEpt1G = bit(17),
              kInvept = bit(20), kEptAccessDirty = bit(21), kInveptSingle = bit(25),
              kInvvpid = bit(32), kInvvpidSingle = bit(41);

}  // namespace

u64 read_capability(CapabilityMsr msr) {
    return read_msr(static_cast<u32>(msr));
}

const Capabilities& capabilities() {
    return found;
}

const char* read_capabilities() {
    if ((cpuid(1).ecx & 1u << 5) == 0)
        return "VMX (CPUID.1:ECX[5])";
    // Locked without VMX: the firmware has turned it off (SDM vol. 3, 24.7).
    if ((read_capability(CapabilityMsr::FeatureControl) & 5) == 1)
        return "VMX, locked out by the firmware (IA32_FEATURE_CONTROL)";
    const u64 basic = read_capability(CapabilityMsr::Basic);
    if ((basic & bit(55)) == 0)
        return "the TRUE control capabilities (IA32_VMX_BASIC[55])";
    found.revision = static_cast<u32>(basic) & 0x7fff'ffff;
    found.pin = ControlCapability(read_capability(CapabilityMsr::TruePinControls));
    found.primary = ControlCapability(read_capability(CapabilityMsr::TruePrimaryControls));
    found.exit = ControlCapability(read_capability(CapabilityMsr::TrueExitControls));
    found.entry = ControlCapability(read_capability(CapabilityMsr::TrueEntryControls));
    if (!found.primary.allows(kActivateSecondaryControls))
        return "secondary processor-based controls";
    found.secondary = ControlCapability(read_capability(CapabilityMsr::SecondaryControls));

    if (!found.secondary.allows(kEnableEpt))
        return "EPT";
    if (!found.secondary.allows(kUnrestrictedGuest))
        return "unrestricted guest";
    if (!found.secondary.allows(kWbinvdExiting))
        return "WBINVD exiting";
    if (!found.pin.allows(kPinExternalInterruptExiting | kPinNmiExiting | kPinVirtualNmis))
        return "virtual NMIs";
    if (!found.primary.allows(kUseTprShadow))
        return "TPR shadow";
    if (!found.primary.allows(kUseMsrBitmaps))
        return "MSR bitmaps";
    if (!found.exit.allows(kSaveIa32Efer | kLoadHostIa32Efer | kSaveIa32Pat | kLoadHostIa32Pat))
        return "EFER and PAT in VM exits";
    if (!found.entry.allows(kLoadIa32Efer | kLoadIa32Pat))
        return "EFER and PAT in VM entries";

    const u64 ept = read_capability(CapabilityMsr::EptVpid);
    if ((ept & kEptWalkLength4) == 0 || (ept & kEptWriteBack) == 0 || (ept & kEpt2M) == 0)
        return "EPT with four levels, write-back tables and 2 MiB pages";
    if ((ept & kInvept) == 0 || (ept & kInveptSingle) == 0)
        return "INVEPT of a single context";
    found.ept_1g = (ept & kEpt1G) != 0;
    found.ept_access_dirty = (ept & kEptAccessDirty) != 0;
    found.write_log = found.ept_access_dirty && found.secondary.allows(kEnablePml);
    found.vpid = found.secondary.allows(kEnableVpid) && (ept & kInvvpid) != 0;
    found.invvpid_single = (ept & kInvvpidSingle) != 0;
    found.preemption_timer = found.pin.allows(kPinPreemptionTimer);
    found.apicv = found.secondary.allows(kVirtualizeApicAccesses | kVirtualizeX2Apic |
                                         kApicRegisterVirtualization | kVirtualInterruptDelivery);
    found.posted_interrupts = found.apicv && found.pin.allows(kPinPostedInterrupts) &&
                              found.exit.allows(kAcknowledgeInterrupt);
    found.preemption_timer_shift = read_capability(CapabilityMsr::Misc) & 0x1f;
    return nullptr;
}

}  // namespace skep::hv::vmx
