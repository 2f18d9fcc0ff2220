#include <kernel/proc/cpu_alarm.hpp>

#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/proc/process.hpp>
#include <kernel/proc/signal.hpp>

#include <algorithm>

namespace skep::kernel {

// It cannot be due sooner than if every CPU worked for the process. With lock_ held.
void CpuAlarm::arm(Nanoseconds used) {
    constexpr Nanoseconds kSoonest = 1'000'000;
    timer_.arm(monotonic_now() + std::max((due_ - used) / cpu_count, kSoonest));
}

// In interrupt context. The process is there: its end cancels the timer first.
void CpuAlarm::look(Timer&, void* context) {
    auto& self = *static_cast<CpuAlarm*>(context);
    const Nanoseconds used = process_time(self.owner_);
    {
        const SpinGuard guard(self.lock_);
        if (!self.due_)
            return;
        const bool came = used >= self.due_;
        if (came)
            self.due_ = self.interval_ ? used + self.interval_ : 0;
        if (self.due_)
            self.arm(used);
        if (!came)
            return;
    }
    send_signal(self.owner_, {.signal = self.signal_, .cause = SignalCause::Kernel});
}

void CpuAlarm::set(const Setting& setting) {
    timer_.cancel();
    const Nanoseconds used = process_time(owner_);
    const SpinGuard guard(lock_);
    due_ = setting.left ? used + setting.left : 0;
    interval_ = setting.interval;
    if (due_)
        arm(used);
}

CpuAlarm::Setting CpuAlarm::get() {
    const Nanoseconds used = process_time(owner_);
    const SpinGuard guard(lock_);
    constexpr Nanoseconds kAtOnce = 1000;  // a microsecond: it has not come yet
    return {due_ ? (due_ > used ? due_ - used : kAtOnce) : 0, interval_};
}

}  // namespace skep::kernel
