// The loop around a guest: events before entry, world switch, the report after the last exit.
#include "hv/guest/vcpu.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/cpu/features.hpp"

namespace skep::hv {

using abi::ExitReason;
using abi::Field;

namespace {

constexpr u32 kShadow = 1 | 2;  // STI, MOV SS
constexpr u32 kNmiBlocked = 8;

// What neither the backend nor XSAVE switches. The root domain expects DR0-DR3 and DR6 clobbered.
class WorldSwitch {
  public:
    WorldSwitch(HardwareVcpu& hardware, XsaveArea& fpu, std::array<u64, 4>& debug, u64& tsc_aux,
                u64& xcr0)
        : hardware_(hardware), fpu_(fpu), debug_(debug), tsc_aux_(tsc_aux), xcr0_(xcr0) {
        hardware_.switch_in();
        root_xcr0_ = fpu_switch_in(fpu_, xcr0_);
        write_dr0(debug_[0]);
        write_dr1(debug_[1]);
        write_dr2(debug_[2]);
        write_dr3(debug_[3]);
        if (has_tsc_aux()) {
            root_tsc_aux_ = read_msr(msr::kTscAux);
            write_msr(msr::kTscAux, tsc_aux_);
        }
    }
    ~WorldSwitch() {
        if (has_tsc_aux()) {
            tsc_aux_ = read_msr(msr::kTscAux);
            write_msr(msr::kTscAux, root_tsc_aux_);
        }
        debug_ = {read_dr0(), read_dr1(), read_dr2(), read_dr3()};
        xcr0_ = fpu_switch_out(fpu_, root_xcr0_);
        hardware_.switch_out();
    }
    WorldSwitch(const WorldSwitch&) = delete;
    WorldSwitch& operator=(const WorldSwitch&) = delete;

  private:
    HardwareVcpu& hardware_;
    XsaveArea& fpu_;
    std::array<u64, 4>& debug_;
    u64& tsc_aux_;
    u64& xcr0_;
    u64 root_xcr0_ = 0, root_tsc_aux_ = 0;
};

}  // namespace

bool Vcpu::ready_for_interrupt() const {
    return !pending_event_.valid() && (hardware_->rflags() & rflags::kIf) != 0 &&
           (hardware_->interruptibility() & kShadow) == 0 && activity_.load() <= Activity::Hlt;
}

void Vcpu::apply_write_back() {
    abi::VcpuPage& page = *page_;
    const u32 what = page.write_back;
    page.write_back = 0;
    if ((what & abi::kWriteBackGeneral) != 0) {
        hardware_->general = page.general;
        hardware_->write(Field::Rsp, hardware_->general.rsp);
    }
    if ((what & abi::kWriteBackRip) != 0)
        hardware_->set_rip(page.rip);
    if ((what & abi::kWriteBackRflags) != 0)
        hardware_->write(Field::Rflags, (page.rflags & ~rflags::kMustBeZero) | rflags::kReserved1);
}

Vcpu::Leave Vcpu::arm_timer(u64 now) {
    apic_.poll_timer(now, tsc_offset_);
    deadline_ = apic_.deadline(now, tsc_offset_);
    timer_changed_ = false;
    if (deadline_ == armed_deadline_)
        return {};
    const bool in_hardware = hardware_->set_preemption_deadline(deadline_);
    if (!in_hardware && deadline_ < reported_deadline_)
        return ExitReason::TimerArmed;
    armed_deadline_ = deadline_;
    return {};
}

// The guest moves CR8 without leaving; the four bits below it are only in the APIC's TPR.
void Vcpu::sync_task_priority() {
    const u8 cr8 = hardware_->task_priority();
    if (cr8 != apic_.tpr() >> 4)
        apic_.set_tpr(static_cast<u8>(cr8 << 4));
}

void Vcpu::open_windows(bool nmi, bool interrupt) {
    if (nmi != nmi_window_)
        hardware_->request_nmi_window(nmi);
    if (interrupt != interrupt_window_)
        hardware_->request_interrupt_window(interrupt);
    nmi_window_ = nmi;
    interrupt_window_ = interrupt;
}

Vcpu::Leave Vcpu::prepare_entry() {
    check_events_ = false;
    if (requests_.load(std::memory_order_relaxed) != 0) {
        const u32 requests = requests_.exchange(0);
        if ((requests & kRequestFlush) != 0)
            hardware_->flush_tlb();
        if ((requests & kRequestNmi) != 0)
            nmi_pending_ = true;
        if ((requests & kRequestInit) != 0) {
            if ((requests & kRequestStartup) != 0)
                post(kRequestStartup);
            reset(false);
            activity_ = Activity::WaitForSipi;
            return ExitReason::Reset;
        }
        if ((requests & kRequestStartup) != 0 && activity_ == Activity::WaitForSipi)
            start_up(startup_vector_);
    }

    sync_task_priority();
    if (const u64 now = read_tsc(); timer_changed_ || now >= deadline_) {
        if (const Leave leave = arm_timer(now))
            return leave;
    }

    auto vector = apic_.deliverable();
    const Activity activity = activity_.load(std::memory_order_relaxed);
    const bool nothing = !vector && !owner_window_ && !nmi_pending_ && !pending_event_.valid();
    if (!nothing || activity != Activity::Active) {
        if (const Leave leave = choose_event(vector, activity))
            return leave;
    }
    open_windows(nmi_pending_, vector.has_value() || owner_window_);
    const auto held_back = apic_.blocked_by_tpr();
    if (const u8 threshold = held_back ? *held_back >> 4 : 0; threshold != threshold_) {
        hardware_->set_task_priority_threshold(threshold);
        threshold_ = threshold;
    }
    return {};
}

// Picks what the next entry delivers and sets `vector` to what is deliverable after that.
Vcpu::Leave Vcpu::choose_event(std::optional<u8>& vector, Activity activity) {
    if (activity == Activity::Shutdown)
        return ExitReason::Shutdown;
    if (activity == Activity::WaitForSipi)
        return ExitReason::Hlt;

    const u32 blocked = hardware_->interruptibility();
    const bool takes_interrupt =
        (hardware_->rflags() & rflags::kIf) != 0 && (blocked & kShadow) == 0;
    // An event stays in pending_event_ until an entry has taken it: `loop` replaces it by what that
    // entry left undelivered.
    if (pending_event_.valid()) {
    } else if (nmi_pending_ && (blocked & (kShadow | kNmiBlocked)) == 0) {
        pending_event_ = Event::nmi();
        nmi_pending_ = false;
    } else if (vector && takes_interrupt) {
        pending_event_ = Event::interrupt(*vector);
        apic_.acknowledge(*vector);
        vector = apic_.deliverable();
    } else if (owner_window_ && takes_interrupt) {
        return ExitReason::InterruptWindow;
    }

    hardware_->inject(pending_event_);
    if (pending_event_.valid()) {
        activity_ = Activity::Active;
    } else if (activity == Activity::Hlt) {
        // A request that came while the activity was being changed is not lost: its sender saw
        // either a held vCPU or a waiting one.
        return requests_ != 0 ? prepare_entry() : Leave(ExitReason::Hlt);
    }
    return {};
}

ExitReason Vcpu::loop(Cpu& cpu) {
    for (;;) {
        if (check_events_ || requests_.load(std::memory_order_relaxed) != 0) {
            if (const Leave leave = prepare_entry())
                return *leave;
        }
        const Exit exit = hardware_->enter();
        pending_event_ = hardware_->interrupted_event();
        check_events_ |= pending_event_.valid() || nmi_pending_;
        if (const Leave leave = handle(exit))
            return *leave;
        ++cpu.counters.guest_exits_handled;
    }
}

void Vcpu::run(Cpu& cpu) {
    apply_write_back();
    owner_window_ = page_->request_interrupt_window != 0;
    check_events_ = true;
    page_->instruction_length = 0;
    page_->instruction_bytes = 0;

    ExitReason reason = ExitReason::Interrupted;
    if (page_->immediate_exit == 0) {
        // What does not run needs no world switch.
        const Leave leave = activity_ != Activity::Active ? prepare_entry() : Leave();
        if (leave) {
            reason = *leave;
        } else {
            runs_on_ = static_cast<int>(cpu.index);
            const WorldSwitch world(*hardware_, fpu_, dr_, tsc_aux_, xcr0_);
            reason = loop(cpu);
            runs_on_ = -1;
        }
    }
    report(reason);
    cpu.counters.guest_exits_handled += finished_cpuids_;
    finished_cpuids_ = 0;
    ++cpu.counters.guest_exits[static_cast<u32>(reason) % abi::kExitReasons];
}

void Vcpu::report(ExitReason reason) {
    abi::VcpuPage& page = *page_;
    sync_task_priority();
    const u64 now = read_tsc();
    if (timer_changed_)
        deadline_ = apic_.deadline(now, tsc_offset_);
    page.reason = reason;
    page.timer_deadline = reported_deadline_ = deadline_;
    page.guest_tsc = now + tsc_offset_;
    hardware_->describe(page);
    page.ready_for_interrupt = !pending_event_.valid() && (page.rflags & rflags::kIf) != 0 &&
                               activity_.load() <= Activity::Hlt &&
                               (hardware_->interruptibility() & kShadow) == 0;
    page.apic_accepts_extint = index_ == 0 && apic_.accepts_extint();

    const bool wants_code = reason == ExitReason::Mmio || reason == ExitReason::PageAbsent ||
                            (reason == ExitReason::Io && page.io.is_string != 0);
    if (wants_code)
        page.instruction_bytes = static_cast<u32>(fetch({page.instruction, 15}));
}

}  // namespace skep::hv
