#include <kernel/abi/time.hpp>

#include <kernel/proc/process.hpp>

#include <algorithm>
#include <limits>

namespace skep::kernel::abi {

namespace {
constexpr std::int64_t kMaxSeconds = 9'000'000'000;  // fits nanoseconds in 63 bits
}

Result<Nanoseconds> copy_in_timespec(UserAddr at) {
    const auto t = SKEP_TRY(copy_in<Timespec>(at));
    if (t.seconds < 0 || t.nanoseconds < 0 || t.nanoseconds >= kNanosecondsPerSecond)
        return fail(Errno::Inval);
    return static_cast<Nanoseconds>(std::min(t.seconds, kMaxSeconds) * kNanosecondsPerSecond +
                                    t.nanoseconds);
}

Result<Nanoseconds> copy_in_timeval(UserAddr at) {
    const auto t = SKEP_TRY(copy_in<Timeval>(at));
    if (t.seconds < 0 || t.microseconds < 0 || t.microseconds >= 1'000'000)
        return fail(Errno::Inval);
    return static_cast<Nanoseconds>(std::min(t.seconds, kMaxSeconds) * kNanosecondsPerSecond +
                                    t.microseconds * 1000);
}

Result<std::int64_t> from_timespec(const Timespec& time) {
    if (time.nanoseconds < 0 || time.nanoseconds >= kNanosecondsPerSecond)
        return fail(Errno::Inval);
    // A saturated time is 292 years away.
    constexpr auto kLast = std::numeric_limits<std::int64_t>::max(),
                   kFirst = std::numeric_limits<std::int64_t>::min();
    if (time.seconds > kLast / kNanosecondsPerSecond - 1)
        return kLast;
    if (time.seconds < kFirst / kNanosecondsPerSecond + 1)
        return kFirst;
    return time.seconds * kNanosecondsPerSecond + time.nanoseconds;
}

Result<std::int64_t> from_timeval(const Timeval& time) {
    if (time.microseconds < 0 || time.microseconds >= 1'000'000)
        return fail(Errno::Inval);
    return from_timespec({time.seconds, time.microseconds * 1000});
}

Nanoseconds deadline_after(Nanoseconds duration) {
    const Nanoseconds now = monotonic_now();
    return duration >= static_cast<Nanoseconds>(kMaxSeconds) * kNanosecondsPerSecond - now
               ? kForever
               : now + duration;
}

Nanoseconds deadline_at(Nanoseconds absolute, Nanoseconds now) {
    return absolute > now ? deadline_after(absolute - now) : monotonic_now();
}

Result<> sleep_until_signal(Nanoseconds deadline, UserAddr remaining) {
    WaitQueue nobody;
    SpinLock lock("nanosleep");
    SpinGuard guard(lock);
    while (monotonic_now() < deadline) {
        const auto waited = nobody.wait(guard, Sleep::Interruptible, deadline);
        if (!waited && waited.error() == Errno::Intr) {
            guard.unlock();
            const Nanoseconds now = monotonic_now();
            if (remaining)
                SKEP_TRY(copy_out(remaining, to_timespec(static_cast<std::int64_t>(
                                                 deadline > now ? deadline - now : 0))));
            return fail(Errno::Intr);
        }
    }
    return {};
}

Nanoseconds thread_time(const Thread& t) {
    return t.cpu_time.total(monotonic_now());
}

Result<Itimer> itimer_argument(std::uint64_t which) {
    if (which > static_cast<std::uint64_t>(Itimer::Profiling))
        return fail(Errno::Inval);
    return static_cast<Itimer>(which);
}

namespace {
CpuAlarm& cpu_alarm(Process& p, Itimer which) {
    return which == Itimer::Virtual ? p.virtual_alarm : p.profiling_alarm;
}
}  // namespace

IntervalTimer read_alarm(Process& p, Itimer which) {
    if (which != Itimer::Real) {
        const CpuAlarm::Setting setting = cpu_alarm(p, which).get();
        return {to_timeval(static_cast<std::int64_t>(setting.interval)),
                to_timeval(static_cast<std::int64_t>(setting.left))};
    }
    const Nanoseconds now = monotonic_now();
    Nanoseconds left = 0;
    if (p.alarm.armed())
        left = p.alarm.deadline() > now ? p.alarm.deadline() - now : 1000;
    return {to_timeval(static_cast<std::int64_t>(p.alarm_interval)),
            to_timeval(static_cast<std::int64_t>(left))};
}

void set_alarm(Process& p, Nanoseconds value, Nanoseconds interval, Itimer which) {
    const MutexGuard guard(p.alarm_lock);
    if (which != Itimer::Real)
        return cpu_alarm(p, which).set({value, interval});
    p.alarm.cancel();
    p.alarm_interval = interval;
    if (value)
        p.alarm.arm(deadline_after(value));
}

}  // namespace skep::kernel::abi
