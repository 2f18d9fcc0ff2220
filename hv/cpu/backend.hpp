// The interface between hv and the CPU vendor's virtualization: VMX (hv/vmx) or SVM (hv/svm).
//
// Everything that does not depend on the vendor is outside: hypercalls, ownership of frames, the
// walk of second-level tables, CPUID, MSR policy, local APIC, instruction decoding, FPU and debug
// registers, the loop around `enter`. A backend translates: state fields, events, controls, exits.
// Formats are the SDM's (access rights, interruption information, interruptibility), as in hv/abi.
#pragma once

#include "hv/abi/vcpu.hpp"
#include "hv/cpu/event.hpp"
#include "hv/cpu/exit.hpp"
#include "hv/lib/result.hpp"
#include "hv/memory/address.hpp"
#include "hv/memory/table_format.hpp"

#include <optional>
#include <span>

namespace skep::hv {

struct Cpu;

// Finishes a CPUID exit without leaving `enter`, as the most frequent of those that need nothing
// else.
class CpuidHandler {
  public:
    // The result is in `registers` and the instruction done; or false: an exit like the others.
    virtual bool finish_cpuid(abi::GeneralRegisters& registers) = 0;

  protected:
    ~CpuidHandler() = default;
};

// How the CPU answers for a guest's local APIC, where it can.
enum class ApicAccess : u8 {
    None,  // each access leaves
    Page,  // at Backend::apic_page
    Msrs,  // of an x2APIC
};

// One virtual CPU as the hardware knows it: a VMCB or a VMCS and the registers around it. It
// belongs to one physical CPU at a time: `acquire` takes it, `release` gives it up; all other
// functions are for its holder; `cpu` is always the calling one. There is one per CPU for the root
// domain, held forever, and one per guest vCPU.
class HardwareVcpu {
  public:
    // The guest's registers between exit and entry. RSP is not here but in Field::Rsp, which is
    // the one that counts: `general.rsp` is never read.
    abi::GeneralRegisters general{};
    Exit exit = Exit::of(ExitKind::Unexpected);  // the last one
    CpuidHandler* cpuid_handler = nullptr;       // a guest's

    // Makes it usable on the calling CPU (VMX: VMPTRLD; SVM: flushes the TLB after a migration). Of
    // the root domain: from here on, hv runs with interrupts and NMIs held back.
    virtual void acquire(const Cpu& cpu) = 0;
    // Writes everything back to memory, so that another CPU can acquire it, and makes the calling
    // CPU's root domain current again.
    virtual void release(const Cpu& cpu) = 0;

    // The registers that hardware neither saves nor loads at entry and exit (SVM: VMSAVE and
    // VMLOAD; VMX: CR2, DR6, STAR and its family): put the root domain's away and load this
    // guest's, and back.
    virtual void switch_in(const Cpu& cpu) = 0;
    virtual void switch_out(const Cpu& cpu) = 0;

    // Runs until the next exit, which is in `exit` then. Physical interrupts leave a guest, but not
    // the root domain.
    virtual void enter() = 0;

    virtual u64 rip() const = 0;
    // Where somebody else has completed an instruction: ends an STI or MOV SS shadow.
    virtual void set_rip(u64 rip) = 0;
    // Past an instruction that hv has executed; likewise.
    virtual void advance(u64 length) = 0;
    // Past the VMCALL or VMMCALL that has left. False: not at CPL 0, nothing done.
    virtual bool accept_hypercall() = 0;
    virtual u64 rflags() const = 0;
    // Interruptibility state, SDM vol. 3, table 25-3: 1 STI, 2 MOV SS, 8 NMI.
    virtual u32 interruptibility() const = 0;
    virtual u8 cpl() const = 0;

    // What the owner of a vCPU gets to see at each exit (general registers, RIP, RFLAGS), and what
    // it needs besides to decode an instruction and walk page tables.
    virtual void describe(abi::VcpuPage& page) const = 0;
    virtual void describe_paging(abi::VcpuPage& page) const = 0;

    // Fields in hardware: general registers, RIP, RFLAGS, CR0-CR4, EFER, DR6, DR7, segments and
    // tables, Star .. SysenterEip, Pat, Interruptibility. Others are not passed down. Values to be
    // written have been checked as far as the architecture goes (canonical, reserved bits); a
    // combination that the CPU refuses ends in ExitKind::EntryFailed.
    virtual u64 read(abi::Field field) const = 0;
    virtual void write(abi::Field field, u64 value) = 0;

    // For the next entry. An injected event is consumed by it.
    virtual void inject(Event event) = 0;
    // Leave as soon as an interrupt (an NMI) can be taken.
    virtual void request_interrupt_window(bool wanted) = 0;
    virtual void request_nmi_window(bool wanted) = 0;

    // CR8, which the guest changes without leaving, and the value below which it leaves (0: never).
    virtual u8 task_priority() const = 0;
    virtual void set_task_priority(u8 cr8) = 0;
    virtual void set_task_priority_threshold(u8 cr8) = 0;

    // Interrupts that the CPU delivers from the local APIC's page by itself, when the guest can
    // take them: then no window and no threshold is asked for on their account. Told are the
    // highest vectors in IRR and ISR (0: none) and where the guest finds the APIC, whenever
    // somebody else may have changed those; the page tells of which vectors the end has to leave
    // (TMR).
    virtual bool delivers_interrupts() const { return false; }
    virtual void deliver_interrupts(u8, u8, ApicAccess) {}
    // Whether interrupts posted to its mailbox reach the guest while it runs.
    virtual bool takes_posted() const { return false; }

    // Leave at each access to DR0-DR3 and DR7 (VMX: any debug register).
    virtual void intercept_debug_registers(bool wanted) = 0;

    virtual void set_tsc_offset(u64 offset) = 0;
    // Leave at this host TSC (abi::kNoDeadline: never). False: the CPU has no such timer.
    virtual bool set_preemption_deadline(u64 host_tsc) = 0;

    // Of pages whose dirty flag this vCPU has set, which the CPU lists: the next, or nothing. From
    // any CPU, under the lock of the tables. The holder starts the list anew when it was full.
    virtual std::optional<Gpa> take_written() { return {}; }
    virtual void restart_write_log() {}

    // Drop cached translations of this vCPU before its next entry.
    virtual void flush_tlb() = 0;

  protected:
    ~HardwareVcpu() = default;
};

// What hardware shares with the rest of hv about a guest's vCPU.
struct GuestFrames {
    Hpa tables;        // root of the second-level tables
    Hpa virtual_apic;  // LocalApic's page and mailbox
    Hpa mailbox;
};

// A feature that hv uses where there is one.
struct OptionalFeature {
    const char* name;
    bool present;
};
constexpr const char* absent_feature(std::span<const OptionalFeature> features, unsigned index) {
    for (const OptionalFeature& feature : features) {
        if (!feature.present && index-- == 0)
            return feature.name;
    }
    return nullptr;
}

class Backend {
  public:
    virtual abi::Vendor vendor() const = 0;
    virtual const char* name() const = 0;
    virtual u32 features() const = 0;  // abi::HostFeature
    virtual const TableFormat& table_format() const = 0;
    // For HardwareVcpus that deliver interrupts: the frame to be mapped where a guest has its
    // xAPIC. Only with ApicAccess::Page accesses to it reach the APIC; no guest may find it
    // otherwise.
    virtual Hpa apic_page() const { return {}; }
    // What this CPU lacks and hv does without, by name, one after the other up to nullptr.
    virtual const char* absent(unsigned index) const = 0;

    // Turns virtualization on, on the calling CPU. Panics with the name of what is missing.
    virtual void enable_cpu() = 0;

    // The calling CPU's part of the root domain; `tables` is the root of its identity map. Created
    // early and acquired when it starts; the caller writes its state in between.
    virtual Result<HardwareVcpu*> create_root(Hpa tables) = 0;

    // State after creation: all fields zero; the caller writes the RESET state.
    virtual Result<HardwareVcpu*> create_vcpu(const GuestFrames& frames) = 0;
    virtual void destroy_vcpu(HardwareVcpu* vcpu) = 0;

  protected:
    ~Backend() = default;
};

// The backend of this machine; set once at boot, before any other CPU runs.
Backend& backend();

}  // namespace skep::hv

namespace skep::hv::svm {
// nullptr if the CPU has SVM with nested paging (and nobody has locked it), else what is missing.
const char* missing();
Backend& instance();
}  // namespace skep::hv::svm

namespace skep::hv::vmx {
const char* missing();
Backend& instance();
}  // namespace skep::hv::vmx
