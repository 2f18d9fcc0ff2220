// From the VMCS's exit information to an Exit (SDM vol. 3, 28.2 and appendix C).
#include "hv/arch/registers.hpp"
#include "hv/cpu/cpu.hpp"
#include "hv/vmx/vcpu.hpp"

#include <array>

namespace skep::hv::vmx {

namespace {

enum class BasicReason : u32 {
    ExceptionOrNmi = 0,
    ExternalInterrupt = 1,
    TripleFault = 2,
    Init = 3,
    InterruptWindow = 7,
    NmiWindow = 8,
    TaskSwitch = 9,
    Cpuid = 10,
    Getsec = 11,
    Hlt = 12,
    Invd = 13,
    Rdpmc = 15,
    Vmcall = 18,
    Vmclear = 19,
    Vmxon = 27,
    ControlRegister = 28,
    DebugRegister = 29,
    Io = 30,
    Rdmsr = 31,
    Wrmsr = 32,
    InvalidGuestState = 33,
    Mwait = 36,
    Monitor = 39,
    Pause = 40,
    TprBelowThreshold = 43,
    ApicAccess = 44,
    VirtualizedEoi = 45,
    EptViolation = 48,
    Invept = 50,
    PreemptionTimer = 52,
    Invvpid = 53,
    Wbinvd = 54,
    Xsetbv = 55,
    ApicWrite = 56,
    PageModificationLogFull = 62,
};

// Table 28-5, by bits 0 to 5: size, direction, string, REP.
constexpr std::array<abi::IoExit, 64> kIoExits = [] {
    std::array<abi::IoExit, 64> exits{};
    for (unsigned bits = 0; bits < 64; ++bits)
        exits[bits] = {
            .port = 0,
            .size = static_cast<u8>((bits & 7) + 1),
            .is_in = (bits & 1 << 3) != 0,
            .is_string = (bits & 1 << 4) != 0,
            .is_rep = (bits & 1 << 5) != 0,
            .reserved = {},
        };
    return exits;
}();

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

// Only exits that a fault causes can come in the middle of a delivery (SDM vol. 3, 28.2.4).
Event interrupted_event() {
    const u32 information = vmread(Field32::IdtVectoringInformation);
    if ((information & Event::kValid) == 0) [[likely]]
        return {};
    Event event{information & 0x8000'0fff, 0};
    switch (event.type()) {
        case EventType::SoftwareInterrupt:
        case EventType::PrivilegedSoftwareException:
        case EventType::SoftwareException:
            return {};
        case EventType::Nmi:
            // Delivery has set the blocking that its repetition must find clear (27.2.1.3).
            vmwrite(Field32::GuestInterruptibilityState,
                    vmread(Field32::GuestInterruptibilityState) & ~8u);
            break;
        default:
            break;
    }
    if (event.has_error_code())
        event.error_code = vmread(Field32::IdtVectoringErrorCode);
    return event;
}

// An interrupt that is in service by now, where exits acknowledge: the root domain's to end.
[[gnu::noinline]] void hold_acknowledged() {
    const u32 taken = vmread(Field32::ExitInterruptionInformation);
    if (capabilities().posted_interrupts && (taken & Event::kValid) != 0)
        Cpu::current().hold_interrupt(static_cast<u8>(taken));
}

}  // namespace

bool decode_exit(VmxVcpu& vcpu, u32 reason) {
    Exit& exit = vcpu.exit;
    exit.interrupted = {};
    const auto event = [&exit](ExitKind kind, u64 raw = 0) {
        exit.kind = kind;
        exit.instruction_length = 0;
        exit.raw = raw;
        return true;
    };
    const auto instruction = [&exit](ExitKind kind) {
        exit.kind = kind;
        exit.instruction_length = static_cast<u8>(vmread(Field32::ExitInstructionLength));
        return true;
    };
    switch (static_cast<BasicReason>(reason)) {
        case BasicReason::ExceptionOrNmi:
            // Only NMIs: no exception is in the bitmap. The exit has taken it; its handler counts
            // it, and its IRET ends the blocking.
            exit.interrupted = interrupted_event();
            asm volatile("int $2" : : : "memory");
            return event(ExitKind::Nmi);
        case BasicReason::ExternalInterrupt:
            hold_acknowledged();
            return event(ExitKind::Interrupt);
        case BasicReason::Init:  // from the root domain, to a CPU that is hv's to start and stop:
                                 // dropped
            return event(ExitKind::Interrupt);
        case BasicReason::TripleFault:
            return event(ExitKind::Shutdown);
        case BasicReason::InterruptWindow:
            return event(ExitKind::InterruptWindow);
        case BasicReason::NmiWindow:
            return event(ExitKind::NmiWindow);
        case BasicReason::TaskSwitch: {
            const u64 qualification = vmread(FieldNatural::ExitQualification);  // table 28-2
            exit.interrupted = interrupted_event();
            // The length is that of the instruction, if it was one.
            if (exit.interrupted.valid())
                event(ExitKind::TaskSwitch);
            else
                instruction(ExitKind::TaskSwitch);
            exit.task = {static_cast<u16>(qualification),
                         static_cast<TaskSwitch::Source>(qualification >> 30 & 3)};
            return true;
        }
        case BasicReason::Cpuid:
            return instruction(ExitKind::Cpuid);
        case BasicReason::Hlt:
            // The instruction has not executed: active (SDM vol. 3, 28.3.4). Bochs 3.0 saves HLT
            // all the same, and its next entry would sleep, whatever is injected.
            vmwrite(Field32::GuestActivityState, 0);
            return instruction(ExitKind::Hlt);
        case BasicReason::Invd:
        case BasicReason::Wbinvd:
            return instruction(ExitKind::CacheFlush);
        case BasicReason::Rdpmc:
            return instruction(ExitKind::PrivilegedRead);
        case BasicReason::Vmcall:
            return event(ExitKind::Hypercall);
        case BasicReason::ControlRegister:
            finish_control_register_access(vcpu, vmread(FieldNatural::ExitQualification));
            return false;
        case BasicReason::DebugRegister:
            return event(ExitKind::DebugRegister);
        case BasicReason::Io: {
            const u64 qualification = vmread(FieldNatural::ExitQualification);
            exit.io = kIoExits[qualification & 0x3f];
            exit.io.port = static_cast<u16>(qualification >> 16);
            return instruction(ExitKind::Io);
        }
        case BasicReason::Rdmsr:
        case BasicReason::Wrmsr:
            exit.msr = static_cast<u32>(vcpu.general.rcx);
            return instruction(static_cast<BasicReason>(reason) == BasicReason::Rdmsr
                                   ? ExitKind::MsrRead
                                   : ExitKind::MsrWrite);
        case BasicReason::Pause:
            return instruction(ExitKind::Pause);
        case BasicReason::TprBelowThreshold:
            return event(ExitKind::TaskPriorityLowered);
        case BasicReason::VirtualizedEoi:
            return event(ExitKind::EndOfInterrupt, vmread(FieldNatural::ExitQualification));
        case BasicReason::ApicAccess:  // table 28-6
            exit.interrupted = interrupted_event();
            return event(ExitKind::ApicAccess, vmread(FieldNatural::ExitQualification) & 0xfff);
        case BasicReason::ApicWrite:
            return event(ExitKind::ApicWrite, vmread(FieldNatural::ExitQualification) & 0xfff);
        case BasicReason::EptViolation: {
            exit.interrupted = interrupted_event();
            const u64 qualification = vmread(FieldNatural::ExitQualification);
            restore_nmi_blocking(qualification);
            event(ExitKind::SecondLevelFault);
            exit.fault = decode_ept_violation(qualification);
            return true;
        }
        case BasicReason::PageModificationLogFull:
            exit.interrupted = interrupted_event();
            restore_nmi_blocking(vmread(FieldNatural::ExitQualification));
            return event(ExitKind::WriteLogFull);
        case BasicReason::PreemptionTimer:
            // Or the end of a bounded stay (VmxVcpu::arm_preemption_timer).
            return event(vcpu.deadline_passed() ? ExitKind::PreemptionTimer : ExitKind::Interrupt);
        case BasicReason::Xsetbv:
            return instruction(ExitKind::Xsetbv);
        case BasicReason::Getsec:
        case BasicReason::Mwait:
        case BasicReason::Monitor:
        case BasicReason::Invept:
        case BasicReason::Invvpid:
            return instruction(ExitKind::Forbidden);
        default:
            if ((reason & 1u << 31) != 0)  // the entry failed
                return event(ExitKind::EntryFailed,
                             static_cast<u64>(reason & 0xffff) << 32 |
                                 (vmread(FieldNatural::ExitQualification) & 0xffff'ffff));
            // VMCLEAR .. VMXON are a run of numbers.
            if (reason >= static_cast<u32>(BasicReason::Vmclear) &&
                reason <= static_cast<u32>(BasicReason::Vmxon))
                return instruction(ExitKind::Forbidden);
            exit.interrupted = interrupted_event();
            return event(ExitKind::Unexpected, reason);
    }
}

}  // namespace skep::hv::vmx
