#include "hv/svm/vcpu.hpp"

#include "hv/arch/registers.hpp"
#include "hv/cpu/cpu.hpp"
#include "hv/memory/layout.hpp"
#include "hv/svm/permission_maps.hpp"

namespace skep::hv::svm {

namespace {

constexpr u64 kNestedPaging = 1;

void vmload(Vmcb& vmcb) {
    asm volatile("vmload %%rax" : : "a"(physical(&vmcb).value) : "memory");
}
void vmsave(Vmcb& vmcb) {
    asm volatile("vmsave %%rax" : : "a"(physical(&vmcb).value) : "memory");
}
Vmcb& root_vmcb(const Cpu& cpu) {
    return static_cast<SvmVcpu*>(cpu.root)->vmcb();
}

// Which vCPU used an ASID last on each CPU; another one's translations must go first.
constexpr u32 kTrackedAsids = 64;
const SvmVcpu* asid_users[kMaxCpus][kTrackedAsids];

}  // namespace

SvmVcpu::SvmVcpu(Role role, Vmcb* vmcb, u32 asid, Hpa tables) : vmcb_(vmcb), role_(role) {
    Vmcb& v = *vmcb_;
    v.asid = asid;
    v.nested_control = kNestedPaging;
    v.nested_cr3 = tables.value;
    v.msrpm_base = msr_map(role).value;
    v.iopm_base = io_map().value;
    v.intercept1 = intercept1::kNmi | intercept1::kCpuid | intercept1::kInvlpga | intercept1::kMsr |
                   intercept1::kInit | intercept1::kShutdown;
    v.intercept2 = intercept2::kVmrun | intercept2::kVmmcall | intercept2::kVmload |
                   intercept2::kVmsave | intercept2::kStgi | intercept2::kClgi |
                   intercept2::kSkinit;
    if (role == Role::Guest) {
        v.intercept1 |= intercept1::kIntr | intercept1::kRdpmc | intercept1::kInvd |
                        intercept1::kHlt | intercept1::kIoio;
        v.intercept2 |=
            intercept2::kWbinvd | intercept2::kMonitor | intercept2::kMwait | intercept2::kXsetbv;
        v.interrupt_control = interrupt_control::kMasking;
    }
    v.efer = efer::kSvme;
}

void SvmVcpu::acquire(const Cpu& cpu) {
    if (role_ == Role::Root) {
        // From here on interrupts and NMIs wait for the root domain; the interrupt flag stays set,
        // as it is what lets them end a guest's stay (APM vol. 2, 15.21.1).
        asm volatile("clgi; sti");
        return;
    }
    const u32 asid = vmcb_->asid;
    const SvmVcpu*& user = asid_users[cpu.index][asid % kTrackedAsids];
    if (last_cpu_ != static_cast<int>(cpu.index) || user != this)
        flush_ = true;
    last_cpu_ = static_cast<int>(cpu.index);
    user = this;
}

void SvmVcpu::switch_in(const Cpu& cpu) {
    vmsave(root_vmcb(cpu));
    vmload(*vmcb_);
}

void SvmVcpu::switch_out(const Cpu& cpu) {
    vmsave(*vmcb_);
    vmload(root_vmcb(cpu));
}

void SvmVcpu::enter() {
    Vmcb& v = *vmcb_;
    for (;;) {
        const bool returning = nmi_ == NmiMask::Returning;
        if (flush_) {
            v.tlb_control =
                capabilities().flush_by_asid ? TlbControl::FlushGuest : TlbControl::FlushAll;
            flush_ = false;
        }
        svm_enter(&general, vmcb_, physical(vmcb_).value);
        v.tlb_control = TlbControl::None;
        v.event_injection = 0;
        // An exit may come before the IRET has run.
        if (returning && v.rip != iret_rip_)
            nmi_ = NmiMask::Open;
        if (v.exit_code == ExitCode::Nmi || v.exit_code == ExitCode::Init) {
            // Taken by hv's own handler, in a moment in which NMIs are open and interrupts are not.
            // An INIT arrives as #SX (SvmBackend::enable_cpu).
            asm volatile("cli; stgi; nop; clgi; sti" : : : "memory");
        }
        if (v.exit_code == ExitCode::Cpuid && cpuid_handler != nullptr) {
            const u8 length = length_by_next_rip();
            if (length != 0 && cpuid_handler->finish_cpuid(general)) {
                advance(length);
                continue;
            }
        }
        if (v.exit_code != ExitCode::Iret) {
            exit = decode();
            exit.interrupted = interrupted_event();
            return;
        }
        v.intercept1 &= ~intercept1::kIret;
        nmi_ = role_ == Role::Guest ? NmiMask::Returning : NmiMask::Open;
        iret_rip_ = v.rip;
        open_window();
        if (const Event event = interrupted_event(); event.valid())
            inject(event);
        if (role_ == Role::Root) {
            exit = Exit::of(ExitKind::NmiWindow);
            return;
        }
    }
}

Event SvmVcpu::interrupted_event() const {
    // Same format as the SDM's, but INT3 and INTO count as exceptions (APM vol. 2, 15.7.2).
    const Event event{static_cast<u32>(vmcb_->exit_interrupt_info),
                      static_cast<u32>(vmcb_->exit_interrupt_info >> 32)};
    if (!event.valid() || event.type() == EventType::SoftwareInterrupt)
        return {};
    if (event.type() == EventType::HardwareException &&
        (event.vector() == 3 || event.vector() == 4))
        return {};
    return event;
}

void SvmVcpu::set_rip(u64 rip) {
    vmcb_->rip = rip;
    vmcb_->interrupt_shadow &= ~u64{1};
}

void SvmVcpu::advance(u64 length) {
    constexpr u16 kLongCode = 0x200;
    const u64 next = vmcb_->rip + length;
    const bool long_mode =
        (vmcb_->efer & efer::kLma) != 0 && (vmcb_->cs.attributes & kLongCode) != 0;
    set_rip(long_mode ? next : next & 0xffff'ffff);
}

bool SvmVcpu::accept_hypercall() {
    constexpr u64 kLength = 3;  // nobody prefixes it
    if (cpl() != 0)
        return false;
    advance(kLength);
    return true;
}

u32 SvmVcpu::interruptibility() const {
    constexpr u32 kSti = 1, kNmi = 8;
    return ((vmcb_->interrupt_shadow & 1) != 0 ? kSti : 0) | (nmi_ != NmiMask::Open ? kNmi : 0);
}

void SvmVcpu::inject(Event event) {
    vmcb_->event_injection =
        event.valid() ? event.information | static_cast<u64>(event.error_code) << 32 : 0;
    if (event.valid() && event.type() == EventType::Nmi) {
        nmi_ = NmiMask::Blocked;
        vmcb_->intercept1 |= intercept1::kIret;
    }
}

void SvmVcpu::request_interrupt_window(bool wanted) {
    interrupt_wanted_ = wanted;
    open_window();
}

void SvmVcpu::request_nmi_window(bool wanted) {
    nmi_wanted_ = wanted;
    open_window();
}

// A virtual interrupt that is intercepted before it is taken. While NMIs are blocked it is IRET
// that is intercepted; what then still holds an NMI back (a shadow, the IRET itself) mostly ends
// with interrupts open. Otherwise the NMI waits for the next exit.
void SvmVcpu::open_window() {
    constexpr u64 kWindow =
        interrupt_control::kIrq | interrupt_control::kPriorityMax | interrupt_control::kIgnoreTpr;
    if (interrupt_wanted_ || (nmi_wanted_ && nmi_ != NmiMask::Blocked)) {
        vmcb_->interrupt_control |= kWindow;
        vmcb_->intercept1 |= intercept1::kVintr;
    } else {
        vmcb_->interrupt_control &= ~kWindow;
        vmcb_->intercept1 &= ~intercept1::kVintr;
    }
}

u8 SvmVcpu::task_priority() const {
    return static_cast<u8>(vmcb_->interrupt_control & interrupt_control::kTprMask & 0xf);
}

void SvmVcpu::set_task_priority(u8 cr8) {
    vmcb_->interrupt_control =
        (vmcb_->interrupt_control & ~interrupt_control::kTprMask) | (cr8 & 0xf);
}

void SvmVcpu::set_task_priority_threshold(u8 cr8) {
    if (cr8 != 0)
        vmcb_->intercept_cr |= kWriteCr8;
    else
        vmcb_->intercept_cr &= ~kWriteCr8;
}

}  // namespace skep::hv::svm
