// What hv and the owner of a vCPU tell each other: the shared page, the exits, the state fields.
//
// The page is shared three ways (hv, control kernel, the guest's skep-vmm): each reader treats it
// as untrusted input. hv fills it when vcpu_run returns; its owner may change the registers and
// sets `write_back` before the next vcpu_run.
//
// An instruction that left with an exit has NOT been executed: RIP still points at it and no state
// is pending in hv. Who completes it writes the results to the registers, adds `instruction_length`
// to RIP and sets `write_back`. A vCPU may therefore be saved after any exit, completed or not.
#pragma once

#include <cstddef>
#include <cstdint>

// The numbered fields read as a table.
// clang-format off
namespace skep::abi {

enum class ExitReason : std::uint32_t {
    None = 0,
    Interrupted = 1,      // a physical interrupt is pending, or `immediate_exit` was set
    Io = 2,               // IN, OUT, INS, OUTS: VcpuPage::io
    Mmio = 3,             // access to unmapped guest-physical memory: VcpuPage::mmio
    Hlt = 4,              // RIP is already past HLT; runnable again when an interrupt arrives
    InterruptWindow = 5,  // `request_interrupt_window` was set and the guest can take one now
    Shutdown = 6,         // triple fault
    MsrRead = 7,          // an MSR that hv does not virtualize: VcpuPage::msr
    MsrWrite = 8,
    ApicEoi = 9,          // EOI of a level-triggered vector: VcpuPage::eoi
    TimerArmed = 10,      // the APIC timer was programmed; `timer_deadline` is new (no HW assistance)
    WakeVcpus = 11,       // an IPI made the vCPUs of VcpuPage::wake_mask runnable
    PageAbsent = 12,      // access to memory protected with kNone: VcpuPage::mmio.gpa
    EntryFailed = 13,     // the CPU refused the guest state: VcpuPage::entry_failure
    Reset = 14,           // INIT received by a vCPU (RESET state, waits for SIPI)
    Pause = 15,           // PAUSE loop, a hint to run someone else
};

enum class AccessKind : std::uint32_t { Read = 0, Write = 1, Execute = 2 };

struct IoExit {
    std::uint16_t port;
    std::uint8_t size;       // 1, 2 or 4
    std::uint8_t is_in;
    std::uint8_t is_string;  // INS/OUTS: decode the instruction bytes
    std::uint8_t is_rep;
    std::uint8_t reserved[2];
};

struct MmioExit {
    std::uint64_t gpa;
    AccessKind access;
    std::uint32_t reserved;
};

struct MsrExit {
    std::uint32_t index, reserved;
    std::uint64_t value;  // of a write (EDX:EAX)
};

// Registers in the order of the ModRM encoding.
struct GeneralRegisters {
    std::uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
    std::uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
};

enum WriteBack : std::uint32_t {
    kWriteBackGeneral = 1,  // `general`
    kWriteBackRip = 2,      // `rip`; also ends an STI / MOV SS shadow, as a completed instruction does
    kWriteBackRflags = 4,
};

inline constexpr std::uint64_t kNoDeadline = ~0ull;

struct VcpuPage {
    // owner -> hv
    std::uint32_t write_back;                // WriteBack bits; hv clears it
    std::uint32_t request_interrupt_window;  // leave with InterruptWindow as soon as IF etc. allow
    std::uint32_t immediate_exit;            // leave with Interrupted before the first instruction
    std::uint32_t reserved0;

    // hv -> owner
    ExitReason reason;
    std::uint32_t instruction_length;   // of Io, Mmio (0: unknown, decode), MsrRead, MsrWrite
    std::uint32_t ready_for_interrupt;  // an ExternalInterrupt may be injected now
    std::uint32_t apic_accepts_extint;  // LVT0 is unmasked ExtINT (or the APIC is disabled) on vCPU 0
    std::uint64_t timer_deadline;       // host TSC at which the guest's APIC timer fires, or kNoDeadline
    std::uint64_t guest_tsc;            // at the exit

    union {
        IoExit io;
        MmioExit mmio;
        MsrExit msr;
        std::uint64_t eoi_vector;
        std::uint64_t wake_mask;
        std::uint64_t entry_failure;  // VM-instruction error or VMCB exit code, for the log
        std::uint8_t payload[64];
    };

    // The instruction at RIP, as far as it could be fetched (Io with is_string, Mmio).
    std::uint8_t instruction[16];
    std::uint32_t instruction_bytes;
    std::uint32_t reserved1;

    // Both ways, see write_back.
    GeneralRegisters general;
    std::uint64_t rip, rflags;

    // Read-only: what an instruction decoder and a page walk need. Filled together with `instruction`.
    std::uint64_t cr0, cr3, cr4, efer;
    std::uint64_t segment_base[6];  // ES CS SS DS FS GS
    std::uint32_t cs_access_rights, cpl;
};
static_assert(sizeof(VcpuPage) <= 4096);
static_assert(offsetof(VcpuPage, payload) == 48);
static_assert(offsetof(VcpuPage, general) == 136);

// State fields, get and set by number; the numbers never change meaning. Names as in the SDM.
enum class Field : std::uint32_t {
    Rax = 0, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi,
    R8, R9, R10, R11, R12, R13, R14, R15,
    Rip = 16, Rflags = 17,

    Cr0 = 32, Cr2 = 33, Cr3 = 34, Cr4 = 35, Xcr0 = 36, Efer = 37,

    Dr0 = 48, Dr1 = 49, Dr2 = 50, Dr3 = 51, Dr6 = 52, Dr7 = 53,

    // Segment registers: selector, base, limit (bytes), access rights (SDM vol. 3, table 25-2: bit 16
    // = unusable). In steps of 4.
    EsSelector = 64, EsBase, EsLimit, EsAccess,
    CsSelector = 68, CsBase, CsLimit, CsAccess,
    SsSelector = 72, SsBase, SsLimit, SsAccess,
    DsSelector = 76, DsBase, DsLimit, DsAccess,
    FsSelector = 80, FsBase, FsLimit, FsAccess,
    GsSelector = 84, GsBase, GsLimit, GsAccess,
    LdtrSelector = 88, LdtrBase, LdtrLimit, LdtrAccess,
    TrSelector = 92, TrBase, TrLimit, TrAccess,
    GdtrBase = 96, GdtrLimit = 97, IdtrBase = 98, IdtrLimit = 99,

    // MSRs
    Star = 128, Lstar = 129, Cstar = 130, Fmask = 131, KernelGsBase = 132,
    SysenterCs = 133, SysenterEsp = 134, SysenterEip = 135,
    Pat = 136, TscAux = 137, MiscEnable = 138, MtrrDefType = 139,
    SpecCtrl = 140,
    MtrrFixed0 = 144,     // ..154: 64K_00000, 16K_80000, 16K_A0000, 4K_C0000 .. 4K_F8000
    MtrrPhysBase0 = 160,  // base and mask of eight variable ranges, alternating: ..175

    // Time: the guest's TSC as read now; set re-bases it.
    Tsc = 192, TscAdjust = 193,

    // Local APIC beside its register page
    ApicBase = 208,           // IA32_APIC_BASE, mode bits included
    ApicTscDeadline = 209,    // IA32_TSC_DEADLINE in guest TSC; 0 = disarmed
    ApicTimerRemaining = 210, // one-shot and periodic mode: guest TSC ticks to expiry; 0 = disarmed

    // Events
    ActivityState = 224,      // 0 active, 1 HLT, 2 shutdown, 3 wait-for-SIPI (SDM vol. 3, 25.4.2)
    Interruptibility = 225,   // bit 0 STI, 1 MOV SS, 3 NMI blocking (SDM vol. 3, table 25-3)
    PendingEvent = 226,       // interruption information to deliver on entry (SDM vol. 3, table 25-17)
    PendingErrorCode = 227,
    NmiPending = 228,
};

struct FieldValue {
    Field id;
    std::uint32_t reserved;  // 0
    std::uint64_t value;
};
static_assert(sizeof(FieldValue) == 16);

}  // namespace skep::abi
// clang-format on
