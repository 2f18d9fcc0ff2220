#include <kernel/dev/vmm/vcpu.hpp>

#include <kernel/arch/x86_64/apic.hpp>
#include <kernel/arch/x86_64/fpu.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/arch/x86_64/trap.hpp>
#include <kernel/dev/vmm/vm.hpp>
#include <kernel/sched/thread.hpp>

namespace skep::kernel::vmm {

namespace {

__extension__ using Wide = unsigned __int128;

// Nanoseconds per TSC tick, 32 fractional bits: computed once, for want of a 128-bit division.
std::uint64_t nanoseconds_per_tick() {
    static const std::uint64_t kScale = (1'000'000'000ull << 32) / tsc_frequency();
    return kScale;
}

// A field that others may be writing.
template <typename T>
T read_once(const T& field) {
    return *static_cast<const volatile T*>(&field);
}

bool hv_has_timer() {
    return host_info().features & abi::kFeaturePreemptionTimer;
}

}  // namespace

Nanoseconds Vcpu::deadline() const {
    if (timer_deadline_ == abi::kNoDeadline)
        return kForever;
    const std::uint64_t now = __builtin_ia32_rdtsc();
    const Nanoseconds monotonic = monotonic_now();
    if (timer_deadline_ <= now)
        return monotonic;
    const Wide delta = static_cast<Wide>(timer_deadline_ - now) * nanoseconds_per_tick() >> 32;
    const Wide sum = monotonic + delta;
    return sum >= kForever ? kForever : static_cast<Nanoseconds>(sum) + 1;
}

// The interrupt itself has ended a run on this CPU. A run elsewhere, whose thread has moved since
// it armed the timer, is interrupted.
void Vcpu::on_deadline(Timer&, void* self) {
    static_cast<Vcpu*>(self)->wake();
}

void Vcpu::wake() {
    {
        const SpinGuard guard(lock_);
        woken_ = true;
        if (cpu_ != kNowhere && cpu_ != this_cpu().number)
            send_interrupt(*cpus[cpu_], kRescheduleVector);
    }
    sleeper_.wake_all();
}

void Vcpu::kick() {
    kicked_.store(true);
    wake();
}

// One stretch in the guest. Interrupts are masked from before hv is asked until it has returned:
// one that comes in between (a kick, say) stays pending and ends the run at once. They are taken
// natively when the lock is given up.
Result<> Vcpu::enter() {
    const PreemptOff stay;
    if (timer_deadline_ != abi::kNoDeadline && !hv_has_timer() &&
        (armed_deadline_ != timer_deadline_ || !timer_.armed())) {
        // One that has passed needs no timer: hv looks before it enters the guest.
        if (timer_deadline_ > __builtin_ia32_rdtsc())
            timer_.arm(deadline());
        armed_deadline_ = timer_deadline_;
    }
    const bool interrupts = lock_.lock();
    woken_ = false;
    if (kicked_.load() || vm_.retired()) {
        lock_.unlock(interrupts);
        return fail(Errno::Again);
    }
    cpu_ = this_cpu().number;
    lock_.unlock(false);
    const std::int64_t result = hypercall(abi::Hypercall::VcpuRun, vm_.id(), index_);
    (void)lock_.lock();
    cpu_ = kNowhere;
    lock_.unlock(interrupts);
    reschedule_ = this_cpu().reschedule;
    if (result < 0)
        return fail(to_errno(static_cast<abi::Error>(-result)));
    timer_deadline_ = read_once(page_.timer_deadline);
    return {};
}

Result<> Vcpu::sleep() {
    SpinGuard guard(lock_);
    const Nanoseconds until = deadline();
    while (!woken_ && !kicked_.load() && !vm_.retired()) {
        if (until != kForever && monotonic_now() >= until)
            return {};
        const Result<> waited = sleeper_.wait(guard, Sleep::Interruptible, until);
        if (!waited && waited.error() == Errno::Intr)
            return waited;
    }
    return {};
}

Result<> Vcpu::run() {
    const Hold hold(*this);
    if (!hold)
        return fail(Errno::Busy);
    const FpuBorrowed registers;
    for (;;) {
        if (vm_.retired())
            return fail(Errno::NoEnt);
        if (kicked_.exchange(false) || signal_pending())
            return fail(Errno::Intr);
        const Result<> entered = enter();
        if (!entered && entered.error() == Errno::Again)
            continue;
        if (!entered)
            return entered;
        switch (read_once(page_.reason)) {
            case abi::ExitReason::Interrupted:
                if (read_once(page_.immediate_exit))
                    return fail(Errno::Intr);
                break;
            case abi::ExitReason::TimerArmed:
                break;
            case abi::ExitReason::Pause:
                yield();
                break;
            case abi::ExitReason::WakeVcpus:
                vm_.wake(read_once(page_.wake_mask));
                break;
            case abi::ExitReason::Hlt:
                SKEP_TRY(sleep());
                break;
            default:
                return {};
        }
        if (reschedule_)
            yield();
    }
}

}  // namespace skep::kernel::vmm
