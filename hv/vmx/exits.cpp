// From the VMCS's exit information to an Exit (SDM vol. 3, 28.2 and appendix C).
#include "hv/arch/registers.hpp"
#include "hv/vmx/vcpu.hpp"

namespace skep::hv::vmx {

namespace {

enum class BasicReason : u16 {
    ExceptionOrNmi = 0,
    ExternalInterrupt = 1,
    TripleFault = 2,
    Init = 3,
    InterruptWindow = 7,
    NmiWindow = 8,
    Cpuid = 10,
    Getsec = 11,
    Hlt = 12,
    Invd = 13,
    Rdpmc = 15,
    Vmcall = 18,
    Vmclear = 19,
    Vmxon = 27,
    ControlRegister = 28,
    Io = 30,
    Rdmsr = 31,
    Wrmsr = 32,
    InvalidGuestState = 33,
    Mwait = 36,
    Monitor = 39,
    Pause = 40,
    TprBelowThreshold = 43,
    EptViolation = 48,
    Invept = 50,
    PreemptionTimer = 52,
    Invvpid = 53,
    Wbinvd = 54,
    Xsetbv = 55,
};

abi::IoExit decode_io(u64 qualification) {  // table 28-5
    return {
        .port = static_cast<u16>(qualification >> 16),
        .size = static_cast<u8>((qualification & 7) + 1),
        .is_in = (qualification & 1 << 3) != 0,
        .is_string = (qualification & 1 << 4) != 0,
        .is_rep = (qualification & 1 << 5) != 0,
        .reserved = {},
    };
}

SecondLevelFault decode_ept_violation(u64 qualification) {  // table 28-7
    constexpr u64 kDataWrite = 1 << 1, kFetch = 1 << 2;
    return {
        .address = Gpa{vmread(Field64::GuestPhysicalAddress)},
        .access = (qualification & kFetch) != 0       ? abi::AccessKind::Execute
                  : (qualification & kDataWrite) != 0 ? abi::AccessKind::Write
                                                      : abi::AccessKind::Read,
    };
}

// An IRET that faulted in the second level has already ended NMI blocking; it will run again
// (SDM vol. 3, 28.2.3).
void restore_nmi_blocking(u64 qualification) {
    constexpr u64 kNmiUnblocking = 1 << 12;
    if ((qualification & kNmiUnblocking) != 0 &&
        (vmread(Field32::IdtVectoringInformation) & Event::kValid) == 0)
        vmwrite(Field32::GuestInterruptibilityState,
                vmread(Field32::GuestInterruptibilityState) | 8);
}

Exit instruction(ExitKind kind) {
    Exit exit{};
    exit.kind = kind;
    exit.instruction_length = static_cast<u8>(vmread(Field32::ExitInstructionLength));
    return exit;
}

Exit event(ExitKind kind, u64 raw = 0) {
    Exit exit{};
    exit.kind = kind;
    exit.raw = raw;
    return exit;
}

}  // namespace

bool left_by_cpuid() {
    return vmread(Field32::ExitReason) == static_cast<u32>(BasicReason::Cpuid);
}

bool decode_exit(VmxVcpu& vcpu, Exit& exit) {
    const u32 reason = vmread(Field32::ExitReason);
    if ((reason & 1u << 31) != 0) {  // the entry failed
        exit = event(ExitKind::EntryFailed,
                     static_cast<u64>(reason & 0xffff) << 32 |
                         (vmread(FieldNatural::ExitQualification) & 0xffff'ffff));
        return true;
    }
    switch (static_cast<BasicReason>(reason)) {
        case BasicReason::ExceptionOrNmi:
            // Only NMIs: no exception is in the bitmap. The exit has taken it; its handler counts
            // it, and its IRET ends the blocking.
            asm volatile("int $2" : : : "memory");
            exit = event(ExitKind::Nmi);
            return true;
        case BasicReason::Init:  // from the root domain, to a CPU that is hv's to start and stop:
                                 // dropped
        case BasicReason::ExternalInterrupt:
            exit = event(ExitKind::Interrupt);
            return true;
        case BasicReason::TripleFault:
            exit = event(ExitKind::Shutdown);
            return true;
        case BasicReason::InterruptWindow:
            exit = event(ExitKind::InterruptWindow);
            return true;
        case BasicReason::NmiWindow:
            exit = event(ExitKind::NmiWindow);
            return true;
        case BasicReason::Cpuid:
            exit = instruction(ExitKind::Cpuid);
            return true;
        case BasicReason::Hlt:
            // The instruction has not executed: active (SDM vol. 3, 28.3.4). Bochs 3.0 saves HLT
            // all the same, and its next entry would sleep, whatever is injected.
            vmwrite(Field32::GuestActivityState, 0);
            exit = instruction(ExitKind::Hlt);
            return true;
        case BasicReason::Invd:
        case BasicReason::Wbinvd:
            exit = instruction(ExitKind::CacheFlush);
            return true;
        case BasicReason::Rdpmc:
            exit = instruction(ExitKind::PrivilegedRead);
            return true;
        case BasicReason::Vmcall:
            exit = instruction(ExitKind::Hypercall);
            return true;
        case BasicReason::ControlRegister:
            finish_control_register_access(vcpu, vmread(FieldNatural::ExitQualification));
            return false;
        case BasicReason::Io:
            exit = instruction(ExitKind::Io);
            exit.io = decode_io(vmread(FieldNatural::ExitQualification));
            return true;
        case BasicReason::Rdmsr:
        case BasicReason::Wrmsr:
            exit = instruction(static_cast<BasicReason>(reason) == BasicReason::Rdmsr
                                   ? ExitKind::MsrRead
                                   : ExitKind::MsrWrite);
            exit.msr = static_cast<u32>(vcpu.general.rcx);
            return true;
        case BasicReason::Pause:
            exit = instruction(ExitKind::Pause);
            return true;
        case BasicReason::TprBelowThreshold:
            exit = event(ExitKind::TaskPriorityLowered);
            return true;
        case BasicReason::EptViolation: {
            const u64 qualification = vmread(FieldNatural::ExitQualification);
            restore_nmi_blocking(qualification);
            exit = event(ExitKind::SecondLevelFault);
            exit.fault = decode_ept_violation(qualification);
            return true;
        }
        case BasicReason::PreemptionTimer:
            // Or the end of a bounded stay (VmxVcpu::arm_preemption_timer).
            exit = event(vcpu.deadline_passed() ? ExitKind::PreemptionTimer : ExitKind::Interrupt);
            return true;
        case BasicReason::Xsetbv:
            exit = instruction(ExitKind::Xsetbv);
            return true;
        case BasicReason::Getsec:
        case BasicReason::Mwait:
        case BasicReason::Monitor:
        case BasicReason::Invept:
        case BasicReason::Invvpid:
            exit = instruction(ExitKind::Forbidden);
            return true;
        default:
            // VMCLEAR .. VMXON are a run of numbers.
            if (reason >= static_cast<u32>(BasicReason::Vmclear) &&
                reason <= static_cast<u32>(BasicReason::Vmxon))
                exit = instruction(ExitKind::Forbidden);
            else
                exit = event(ExitKind::Unexpected, reason);
            return true;
    }
}

}  // namespace skep::hv::vmx
