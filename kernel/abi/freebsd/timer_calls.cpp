// ktimer_*, by which librt has timer_create(2): sys/timers.h, sys/signal.h.
#include <kernel/abi/freebsd/clock.hpp>
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/abi/timers.hpp>

namespace skep::kernel::freebsd_abi {

namespace {

struct SignalEvent {  // struct sigevent
    std::int32_t how, signal;
    std::uint64_t value;
    std::int32_t thread, padding;
    std::uint64_t spare[7];
};
static_assert(sizeof(SignalEvent) == 80 && offsetof(SignalEvent, thread) == 16);

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
    return abi::create_timer(a[0], SKEP_TRY(notice_argument(a[1])), a[2]);
}

Returns ktimer_delete(Arguments a) {
    return abi::delete_timer(a[0]);
}
Returns ktimer_settime(Arguments a) {
    return abi::set_timer(a[0], a[1], a[2], a[3], deadline_of);
}
Returns ktimer_gettime(Arguments a) {
    return abi::get_timer(a[0], a[1]);
}
Returns ktimer_getoverrun(Arguments a) {
    return abi::timer_overruns(a[0]);
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
