#include <kernel/proc/posix_timers.hpp>

#include <kernel/proc/process.hpp>
#include <kernel/proc/signal.hpp>

#include <algorithm>

namespace skep::kernel {

PosixTimer::PosixTimer(Process& owner, std::uint64_t clock, const TimerNotice& notice,
                       std::int32_t number)
    : owner_(owner), clock_(clock), notice_(notice), number_(number) {}

// In interrupt context, as what follows.
void PosixTimer::fired(Timer& timer, void* context) {
    auto& self = *static_cast<PosixTimer*>(context);
    std::uint32_t extra = 0;
    {
        const SpinGuard guard(self.lock_);
        if (!self.deadline_)
            return;
        if (self.period_) {
            const Nanoseconds now = monotonic_now();
            const Nanoseconds late = now > self.deadline_ ? now - self.deadline_ : 0;
            const std::uint64_t missed = late / self.period_;
            constexpr std::uint64_t kMost = 0x7fff'ffff;
            extra = static_cast<std::uint32_t>(std::min(missed, kMost));
            self.deadline_ += (missed + 1) * self.period_;
            timer.arm(next_period(self.deadline_, 0));
        } else {
            self.deadline_ = 0;
        }
    }
    self.expire(extra);
}

// The process is there: its end removes the timer first. A thread of it may not be.
void PosixTimer::expire(std::uint32_t extra) {
    if (notice_.how == TimerNotice::How::Nothing)
        return;
    const SpinGuard tree(process_lock);
    Thread* thread = nullptr;
    if (notice_.how == TimerNotice::How::ToThread) {
        thread = find_thread(notice_.thread);
        if (!thread || thread->process != &owner_)
            return;
    }
    {
        const SpinGuard guard(owner_.lock);
        PendingSignals& pending = thread ? thread->signals.pending : owner_.pending;
        if (pending.count_overruns(notice_.signal, number_, extra + 1))
            return;
    }
    const SignalInfo info{
        .signal = notice_.signal,
        .cause = SignalCause::Timer,
        .value = notice_.value_is_number ? static_cast<std::uint64_t>(number_) : notice_.value,
        .timer = number_,
        .overruns = extra};
    if (thread)
        send_signal(*thread, info);
    else
        send_signal(owner_, info);
}

void PosixTimer::set(Nanoseconds deadline, Nanoseconds period) {
    timer_.cancel();
    {
        const SpinGuard guard(lock_);
        deadline_ = deadline;
        period_ = period;
    }
    if (deadline)
        timer_.arm(deadline);
}

PosixTimer::Setting PosixTimer::get() {
    const SpinGuard guard(lock_);
    Setting setting{0, period_};
    if (deadline_) {
        const Nanoseconds now = monotonic_now();
        setting.left = deadline_ > now ? deadline_ - now : 1;
    }
    return setting;
}

PosixTimer* PosixTimers::find(std::int32_t number) {
    const std::int64_t at = std::int64_t{number} - kFirst;
    return at >= 0 && at < static_cast<std::int64_t>(timers_.size())
               ? timers_[static_cast<std::size_t>(at)].get()
               : nullptr;
}

Result<std::int32_t> PosixTimers::create(std::uint64_t clock, const TimerNotice& notice) {
    if (notice.how == TimerNotice::How::ToThread) {
        const SpinGuard guard(process_lock);
        const Thread* thread = find_thread(notice.thread);
        if (!thread || thread->process != &owner_)
            return fail(Errno::Inval);
    }
    const MutexGuard guard(lock_);
    std::size_t at = 0;
    while (at < timers_.size() && timers_[at])
        at++;
    if (at == kMost)
        return fail(Errno::Again);
    const std::int32_t number = kFirst + static_cast<std::int32_t>(at);
    overruns_[at].store(0, std::memory_order_relaxed);
    Owned<PosixTimer> timer = SKEP_TRY(make_owned<PosixTimer>(owner_, clock, notice, number));
    if (at == timers_.size())
        SKEP_TRY(timers_.push_back(std::move(timer)));
    else
        timers_[at] = std::move(timer);
    return number;
}

Result<> PosixTimers::remove(std::int32_t number) {
    const MutexGuard guard(lock_);
    if (!find(number))
        return fail(Errno::Inval);
    timers_[static_cast<std::size_t>(number - kFirst)].reset();
    return {};
}

Result<std::uint32_t> PosixTimers::overruns(std::int32_t number) {
    const MutexGuard guard(lock_);
    if (!find(number))
        return fail(Errno::Inval);
    return overruns_[static_cast<std::size_t>(number - kFirst)].load(std::memory_order_relaxed);
}

void PosixTimers::delivered(const SignalInfo& info) {
    overruns_[static_cast<std::size_t>(info.timer - kFirst)].store(info.overruns,
                                                                   std::memory_order_relaxed);
}

void PosixTimers::clear() {
    const MutexGuard guard(lock_);
    timers_.clear();
}

}  // namespace skep::kernel
