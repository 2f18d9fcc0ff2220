// What this CPU's VMX can do, from its capability MSRs (SDM vol. 3, appendix A).
#pragma once

#include "hv/lib/types.hpp"

namespace skep::hv::vmx {

// Numbers of the capability MSRs (appendix A.1 to A.10).
enum class CapabilityMsr : u32 {
    FeatureControl = 0x3a,
    Basic = 0x480,
    Misc = 0x485,
    Cr0Fixed0 = 0x486,
    Cr0Fixed1 = 0x487,
    Cr4Fixed0 = 0x488,
    Cr4Fixed1 = 0x489,
    SecondaryControls = 0x48b,  // if bit 63 of the primary controls' MSR is set
    EptVpid = 0x48c,
    TruePinControls = 0x48d,  // these four if bit 55 of Basic is set
    TruePrimaryControls = 0x48e,
    TrueExitControls = 0x48f,
    TrueEntryControls = 0x490,
};

u64 read_capability(CapabilityMsr msr);

// The allowed settings of one control word: a bit of the low half must be one, a bit clear in the
// high half must be zero (appendix A.2).
class ControlCapability {
  public:
    explicit constexpr ControlCapability(u64 msr)
        : must_be_one_(static_cast<u32>(msr)), may_be_one_(static_cast<u32>(msr >> 32)) {}

    constexpr bool allows(u32 bits) const { return (may_be_one_ & bits) == bits; }
    // The word for `wanted`, all of which has to be allowed.
    constexpr u32 apply(u32 wanted) const { return wanted | must_be_one_; }

  private:
    u32 must_be_one_, may_be_one_;
};

// The control words' bits that hv uses (SDM vol. 3, 25.6 to 25.8).
// Pin-based.
inline constexpr u32 kPinExternalInterruptExiting = 1u << 0, kPinNmiExiting = 1u << 3,
                     kPinVirtualNmis = 1u << 5, kPinPreemptionTimer = 1u << 6,
                     kPinPostedInterrupts = 1u << 7;
// Primary processor-based.
inline constexpr u32 kInterruptWindowExiting = 1u << 2, kUseTscOffsetting = 1u << 3,
                     kHltExiting = 1u << 7, kMwaitExiting = 1u << 10, kRdpmcExiting = 1u << 11,
                     kUseTprShadow = 1u << 21, kNmiWindowExiting = 1u << 22,
                     kMovDrExiting = 1u << 23, kUnconditionalIoExiting = 1u << 24,
                     kUseMsrBitmaps = 1u << 28, kMonitorExiting = 1u << 29,
                     kActivateSecondaryControls = 1u << 31;
// Secondary processor-based.
inline constexpr u32 kVirtualizeApicAccesses = 1u << 0, kEnableEpt = 1u << 1,
                     kEnableRdtscp = 1u << 3, kVirtualizeX2Apic = 1u << 4, kEnableVpid = 1u << 5,
                     kWbinvdExiting = 1u << 6, kUnrestrictedGuest = 1u << 7,
                     kApicRegisterVirtualization = 1u << 8, kVirtualInterruptDelivery = 1u << 9,
                     kEnableInvpcid = 1u << 12, kEnablePml = 1u << 17, kEnableXsaves = 1u << 20;
// VM-exit.
inline constexpr u32 kSaveDebugControls = 1u << 2, kHostAddressSpaceSize = 1u << 9,
                     kAcknowledgeInterrupt = 1u << 15, kSaveIa32Pat = 1u << 18,
                     kLoadHostIa32Pat = 1u << 19, kSaveIa32Efer = 1u << 20,
                     kLoadHostIa32Efer = 1u << 21;
// VM-entry.
inline constexpr u32 kLoadDebugControls = 1u << 2, kIa32eModeGuest = 1u << 9,
                     kLoadIa32Pat = 1u << 14, kLoadIa32Efer = 1u << 15;

// Read once at boot; every CPU of a machine is taken to be alike, as its firmware promises.
struct Capabilities {
    u32 revision;  // of the VMCS, written to the first word of each region
    ControlCapability pin{0}, primary{0}, secondary{0}, exit{0}, entry{0};
    bool vpid;
    bool invvpid_single;
    bool ept_access_dirty;
    bool write_log;  // page-modification logging
    bool ept_1g;
    bool preemption_timer;
    bool apicv;                 // APIC registers in both modes, virtual-interrupt delivery
    bool posted_interrupts;     // on top of these
    u8 preemption_timer_shift;  // the timer counts down once every 2^shift ticks of the TSC
};

const Capabilities& capabilities();

// Fills capabilities(). nullptr, or the name of the first thing that hv cannot do without and this
// CPU does not have.
const char* read_capabilities();

}  // namespace skep::hv::vmx
