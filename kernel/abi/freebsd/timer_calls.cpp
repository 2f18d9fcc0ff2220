// ktimer_*, by which librt has timer_create(2): sys/timers.h, sys/signal.h.
#include <kernel/abi/freebsd/clock.hpp>
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/abi/time.hpp>
#include <kernel/proc/process.hpp>

namespace skep::kernel::freebsd_abi {

namespace {

struct SignalEvent {  // struct sigevent
    std::int32_t how, signal;
    std::uint64_t value;
    std::int32_t thread, padding;
    std::uint64_t spare[7];
};
static_assert(sizeof(SignalEvent) == 80 && offsetof(SignalEvent, thread) == 16);

struct TimerSpec {  // struct itimerspec
    abi::Timespec interval, value;
};
static_assert(sizeof(TimerSpec) == 32);

PosixTimers& timers() {
    return current_process().posix_timers;
}

Result<TimerNotice> notice_argument(UserAddr at) {
    enum : std::int32_t {
        None = 0,
        SignalProcess = 1,
        SignalThread = 4
    };
    if (!at)
        return TimerNotice{.value_is_number = true};
    const auto event = SKEP_TRY(copy_in<SignalEvent>(at));
    TimerNotice notice{.thread = event.thread, .value = event.value};
    switch (event.how) {
        case None:
            notice.how = TimerNotice::How::Nothing;
            return notice;
        case SignalProcess:
            break;
        case SignalThread:
            notice.how = TimerNotice::How::ToThread;
            break;
        default:  // SIGEV_THREAD is librt's own, SIGEV_KEVENT is for aio
            return fail(Errno::Inval);
    }
    if (event.signal <= 0 || event.signal >= static_cast<std::int32_t>(kSignals))
        return fail(Errno::Inval);
    notice.signal = static_cast<Signal>(event.signal);
    return notice;
}

Returns ktimer_create(Arguments a) {
    switch (static_cast<Clock>(static_cast<std::int32_t>(a[0]))) {
        case Clock::Realtime:
        case Clock::Monotonic:
        case Clock::Uptime:
            break;
        default:
            return fail(Errno::Inval);
    }
    const TimerNotice notice = SKEP_TRY(notice_argument(a[1]));
    const std::int32_t number = SKEP_TRY(timers().create(a[0], notice));
    if (const auto told = copy_out(a[2], number); !told) {
        (void)timers().remove(number);
        return fail(told.error());
    }
    return 0;
}

Returns ktimer_delete(Arguments a) {
    return done(timers().remove(static_cast<std::int32_t>(a[0])));
}

Result<> put_setting(UserAddr to, const PosixTimer::Setting& setting) {
    return copy_out(to, TimerSpec{abi::to_timespec(static_cast<std::int64_t>(setting.period)),
                                  abi::to_timespec(static_cast<std::int64_t>(setting.left))});
}

Returns ktimer_settime(Arguments a) {
    constexpr std::uint64_t kAbsolute = 1;
    const Nanoseconds period = SKEP_TRY(abi::copy_in_timespec(a[2])),
                      first = SKEP_TRY(abi::copy_in_timespec(a[2] + sizeof(abi::Timespec)));
    const auto old = SKEP_TRY(timers().with(
        static_cast<std::int32_t>(a[0]), [&](PosixTimer& timer) -> Result<PosixTimer::Setting> {
            Nanoseconds deadline = 0;
            if (first)
                deadline = a[1] & kAbsolute ? SKEP_TRY(deadline_of(timer.clock(), first))
                                            : abi::deadline_after(first);
            const PosixTimer::Setting before = timer.get();
            timer.set(deadline, period);
            return before;
        }));
    if (a[3])
        SKEP_TRY(put_setting(a[3], old));
    return 0;
}

Returns ktimer_gettime(Arguments a) {
    const auto setting = SKEP_TRY(timers().with(
        static_cast<std::int32_t>(a[0]),
        [](PosixTimer& timer) -> Result<PosixTimer::Setting> { return timer.get(); }));
    SKEP_TRY(put_setting(a[1], setting));
    return 0;
}

Returns ktimer_getoverrun(Arguments a) {
    return timers().with(static_cast<std::int32_t>(a[0]),
                         [](PosixTimer& timer) -> Returns { return timer.overruns(); });
}

constexpr Syscall kCalls[] = {
    {235, "ktimer_create", 3, ktimer_create, SyscallStatus::Partial,
     "CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_UPTIME; no SIGEV_KEVENT"},
    {236, "ktimer_delete", 1, ktimer_delete},
    {237, "ktimer_settime", 4, ktimer_settime},
    {238, "ktimer_gettime", 2, ktimer_gettime},
    {239, "ktimer_getoverrun", 1, ktimer_getoverrun},
};

}  // namespace

const std::span<const Syscall> timer_calls = kCalls;

}  // namespace skep::kernel::freebsd_abi
