// The loop around a guest: events before entry, world switch, the report after the last exit.
#include "hv/guest/vcpu.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/cpu/features.hpp"
#include "hv/cpu/physical_apic.hpp"

namespace skep::hv {

using abi::ExitReason;
using abi::Field;

namespace {

constexpr u32 kShadow = 1 | 2;  // STI, MOV SS
constexpr u32 kNmiBlocked = 8;

}  // namespace

// What neither the backend nor XSAVE switches, around these two. The root domain expects DR0-DR3
// clobbered.
class Vcpu::WorldSwitch {
  public:
    WorldSwitch(Vcpu& vcpu, const Cpu& cpu) : vcpu_(vcpu), cpu_(cpu) {
        vcpu_.hardware_->switch_in(cpu_);
        root_xcr0_ = fpu_switch_in(vcpu_.fpu_, vcpu_.xcr0_);
        if (vcpu_.debug_in_use_)
            vcpu_.load_debug_registers();
        if (vcpu_.tsc_aux_ != cpu_.root_tsc_aux)
            hv::write_msr(msr::kTscAux, vcpu_.tsc_aux_);
    }
    ~WorldSwitch() {
        if (vcpu_.tsc_aux_ != cpu_.root_tsc_aux)
            hv::write_msr(msr::kTscAux, cpu_.root_tsc_aux);
        if (vcpu_.debug_in_use_)
            vcpu_.save_debug_registers();
        vcpu_.xcr0_ = fpu_switch_out(vcpu_.fpu_, root_xcr0_);
        vcpu_.hardware_->switch_out(cpu_);
    }
    WorldSwitch(const WorldSwitch&) = delete;
    WorldSwitch& operator=(const WorldSwitch&) = delete;

  private:
    Vcpu& vcpu_;
    const Cpu& cpu_;
    u64 root_xcr0_ = 0;
};

void Vcpu::load_debug_registers() const {
    write_dr0(dr_[0]);
    write_dr1(dr_[1]);
    write_dr2(dr_[2]);
    write_dr3(dr_[3]);
}

void Vcpu::save_debug_registers() {
    constexpr u64 kAnyEnabled = 0xff;
    dr_ = {read_dr0(), read_dr1(), read_dr2(), read_dr3()};
    if ((hardware_->read(Field::Dr7) & kAnyEnabled) == 0) {
        debug_in_use_ = false;
        hardware_->intercept_debug_registers(true);
    }
}

bool Vcpu::notify(bool first) const {
    const int index = runs_on();
    if (!hardware_->takes_posted() || waits() || index < 0)
        return false;
    if (first)
        send_ipi(cpu_at(static_cast<unsigned>(index)).apic_id, Ipi::Fixed,
                 abi::kNotificationVector);
    return true;
}

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
    if (hardware_->delivers_interrupts()) {
        open_windows(nmi_pending_, owner_window_);
        if (const ApicAccess access = apic_access(); access != last_apic_access_) {
            last_apic_access_ = access;
            vm_.place_apic(index_, access == ApicAccess::Page);
            hardware_->flush_tlb();
        }
        hardware_->deliver_interrupts(apic_.accepts_fixed() ? apic_.requested().value_or(0) : 0,
                                      apic_.in_service().value_or(0), last_apic_access_);
        return {};
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
            if (const Leave leave = prepare_entry()) {
                check_events_ = true;
                return *leave;
            }
        }
        hardware_->enter();
        const Exit& exit = hardware_->exit;
        pending_event_ = exit.interrupted;
        if (pending_event_.valid() || nmi_pending_) [[unlikely]]
            check_events_ = true;
        if (exit.kind == ExitKind::Io) [[likely]] {
            page_->io = exit.io;
            page_->instruction_length = exit.instruction_length;
            wants_code_ = exit.io.is_string;
            return ExitReason::Io;
        }
        if (const Leave leave = handle(exit))
            return *leave;
        ++cpu.counters.guest_exits_handled;
    }
}

inline void Vcpu::report(ExitReason reason) {
    abi::VcpuPage& page = *page_;
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

    if (wants_code_) {
        wants_code_ = false;
        hardware_->describe_paging(page);
        page.instruction_bytes = static_cast<u32>(fetch({page.instruction, 15}));
    }
}

// Only a timer that hardware does not watch can have passed unseen.
bool Vcpu::timer_is_due() const {
    return deadline_ != abi::kNoDeadline && read_tsc() >= deadline_;
}

void Vcpu::run(Cpu& cpu) {
    abi::VcpuPage& page = *page_;
    if (page.write_back != 0)
        apply_write_back();
    if (const bool window = page.request_interrupt_window != 0;
        window != owner_window_ || timer_is_due()) [[unlikely]] {
        owner_window_ = window;
        check_events_ = true;
    }
    page.instruction_bytes = 0;

    ExitReason reason = ExitReason::Interrupted;
    if (page.immediate_exit == 0 && cpu.pending.load(std::memory_order_relaxed) == 0) {
        // What does not run needs no world switch.
        Leave leave;
        if (activity_.load(std::memory_order_relaxed) != Activity::Active) {
            leave = prepare_entry();
            check_events_ |= leave.has_value();
        }
        if (leave) {
            reason = *leave;
        } else {
            runs_on_.store(static_cast<int>(cpu.index));
            const WorldSwitch world(*this, cpu);
            reason = loop(cpu);
            runs_on_.store(-1, std::memory_order_release);
        }
    }
    report(reason);
    ++cpu.counters.guest_exits[static_cast<u32>(reason) % abi::kExitReasons];
}

}  // namespace skep::hv
