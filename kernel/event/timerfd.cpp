#include <kernel/event/timerfd.hpp>

#include <algorithm>

namespace skep::kernel {

// In interrupt context.
void TimerFd::fired(Timer& timer, void* context) {
    TimerFd& self = *static_cast<TimerFd*>(context);
    {
        SpinGuard guard(self.lock_);
        if (!self.deadline_)
            return;
        const Nanoseconds now = monotonic_now();
        std::uint64_t expired = 1;
        if (self.period_) {
            if (now > self.deadline_)
                expired += (now - self.deadline_) / self.period_;
            self.deadline_ += expired * self.period_;
            timer.arm(next_period(self.deadline_, 0));
        } else {
            self.deadline_ = 0;
        }
        self.expirations_ += expired;
    }
    self.readers_.wake_all();
    self.events().notify(kReadable);
}

TimerFd::Setting TimerFd::remaining() const {
    Setting setting{.first = 0, .period = static_cast<std::int64_t>(period_)};
    if (deadline_) {
        const Nanoseconds now = monotonic_now();
        setting.first = deadline_ > now ? static_cast<std::int64_t>(deadline_ - now) : 1;
    }
    return setting;
}

TimerFd::Setting TimerFd::get() {
    SpinGuard guard(lock_);
    return remaining();
}

void TimerFd::set(const Setting& wanted, bool absolute, Setting* old) {
    MutexGuard order(set_lock_);
    timer_.cancel();
    SpinGuard guard(lock_);
    if (old)
        *old = remaining();
    expirations_ = 0;
    period_ = static_cast<Nanoseconds>(wanted.period);
    deadline_ = 0;
    if (wanted.first) {
        const Nanoseconds now = monotonic_now();
        std::int64_t ahead = wanted.first;
        if (absolute)
            ahead -= realtime_ ? realtime_now() : static_cast<std::int64_t>(now);
        deadline_ = now + static_cast<Nanoseconds>(std::max<std::int64_t>(ahead, 1));
        const Nanoseconds deadline = deadline_;
        guard.unlock();
        timer_.arm(deadline);
    }
}

Result<std::size_t> TimerFd::read(Uio& uio, std::uint64_t*) {
    std::uint64_t value;
    if (uio.remaining() < sizeof value)
        return fail(Errno::Inval);
    {
        SpinGuard guard(lock_);
        while (!expirations_) {
            if (nonblocking())
                return fail(Errno::Again);
            SKEP_TRY(readers_.wait(guard));
        }
        value = std::exchange(expirations_, 0);
    }
    return uio.put(&value, sizeof value);
}

Events TimerFd::ready(Events interest) {
    SpinGuard guard(lock_);
    return expirations_ ? interest & kReadable : 0;
}

}  // namespace skep::kernel
