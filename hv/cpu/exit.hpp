// Why a CPU left the root domain or a guest, decoded once by the backend.
#pragma once

#include "hv/abi/vcpu.hpp"
#include "hv/cpu/event.hpp"
#include "hv/lib/types.hpp"
#include "hv/memory/address.hpp"

namespace skep::hv {

// Exits that only one vendor has (VT-x: CR accesses) are finished in its backend and never get
// here.
enum class ExitKind : u8 {
    Cpuid,
    Hypercall,  // VMCALL or VMMCALL
    MsrRead,
    MsrWrite,
    Io,
    SecondLevelFault,
    Interrupt,  // a physical interrupt is pending, or was acknowledged (Cpu::hold_interrupt)
    Nmi,        // a physical NMI was taken and counted: Cpu::pending
    InterruptWindow,
    NmiWindow,
    TaskPriorityLowered,  // CR8 fell below the threshold that was set
    TaskPriorityWrite,    // MOV to CR8, not executed yet, while a threshold is set
    EndOfInterrupt,       // of vector `raw`, which the page says is level-triggered
    ApicAccess,           // to offset `raw` of the local APIC's page: not done
    ApicWrite,            // to offset `raw`: the value is in LocalApic's page, the instruction done
    DebugRegister,        // an access, not executed yet, while they are intercepted
    Hlt,
    Pause,
    Xsetbv,
    TaskSwitch,      // checked, but nothing of it done
    CacheFlush,      // INVD or WBINVD
    Forbidden,       // an instruction that takes #UD in here: VMX, SVM, MONITOR...
    PrivilegedRead,  // an instruction that takes #GP in here: RDPMC
    PreemptionTimer,
    WriteLogFull,  // before the write that would have been its next
    Shutdown,      // triple fault
    EntryFailed,   // the CPU refused the state: `raw`
    Unexpected,    // `raw` is the vendor's exit code
};

struct SecondLevelFault {
    Gpa address;
    abi::AccessKind access;
};

struct TaskSwitch {
    u16 selector;
    enum class Source : u8 {
        Call = 0,
        Iret = 1,
        Jump = 2,
        Gate = 3  // of the IDT
    } source;
};

struct Exit {
    ExitKind kind;
    // Of the instruction that caused the exit; 0: the CPU does not tell, fetch and decode it.
    u8 instruction_length = 0;
    union {
        u64 raw = 0;
        u32 msr;
        abi::IoExit io;
        SecondLevelFault fault;
        TaskSwitch task;
    };
    // Whose delivery the exit cut short and that has to be injected again. Software interrupts and
    // exceptions are left out: RIP is at their instruction, which runs again.
    Event interrupted{};

    static Exit of(ExitKind kind, u8 instruction_length = 0, u64 raw = 0) {
        Exit exit{.kind = kind, .instruction_length = instruction_length, .raw = raw};
        return exit;
    }
};

}  // namespace skep::hv
