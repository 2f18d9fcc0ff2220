// timer_create and its kin: asm-generic/siginfo.h, linux/time.h.
#include <kernel/abi/linux/signal_numbers.hpp>
#include <kernel/abi/linux/tables.hpp>
#include <kernel/abi/linux/time.hpp>
#include <kernel/proc/process.hpp>

namespace skep::kernel::linux_abi {

namespace {

using Arguments = const std::uint64_t*;
using Returns = Result<std::uint64_t>;

struct SignalEvent {  // struct sigevent
    std::uint64_t value;
    std::int32_t signal, how, thread;
    std::int32_t padding[11];
};
static_assert(sizeof(SignalEvent) == 64);

struct TimerSpec {  // struct itimerspec
    LinuxTimespec interval, value;
};

PosixTimers& timers() {
    return current_process().posix_timers;
}

Result<TimerNotice> notice_argument(UserAddr at) {
    enum : std::int32_t {
        ToProcess = 0,
        None = 1,
        ToThread = 4
    };
    if (!at)
        return TimerNotice{.value_is_number = true};
    const auto event = SKEP_TRY(copy_in<SignalEvent>(at));
    TimerNotice notice{.thread = event.thread, .value = event.value};
    switch (event.how) {
        case None:
            notice.how = TimerNotice::How::Nothing;
            return notice;
        case ToProcess:
            break;
        case ToThread:
            notice.how = TimerNotice::How::ToThread;
            break;
        default:
            return fail(Errno::Inval);
    }
    if (event.signal <= 0 || event.signal > static_cast<std::int32_t>(kLinuxSignals))
        return fail(Errno::Inval);
    notice.signal = from_linux_signal(static_cast<std::uint32_t>(event.signal));
    return notice;
}

Returns timer_create(Arguments a) {
    constexpr std::uint64_t kRealtime = 0, kMonotonic = 1, kBoottime = 7;
    if (a[0] != kRealtime && a[0] != kMonotonic && a[0] != kBoottime)
        return fail(Errno::Inval);
    const TimerNotice notice = SKEP_TRY(notice_argument(a[1]));
    const std::int32_t number = SKEP_TRY(timers().create(a[0], notice));
    if (const auto told = copy_out(a[2], number); !told) {
        (void)timers().remove(number);
        return fail(told.error());
    }
    return 0;
}

Returns timer_delete(Arguments a) {
    SKEP_TRY(timers().remove(static_cast<std::int32_t>(a[0])));
    return 0;
}

Result<> put_setting(UserAddr to, const PosixTimer::Setting& setting) {
    return copy_out(to, TimerSpec{to_timespec(static_cast<std::int64_t>(setting.period)),
                                  to_timespec(static_cast<std::int64_t>(setting.left))});
}

Returns timer_settime(Arguments a) {
    constexpr std::uint64_t kAbsolute = 1;
    const Nanoseconds period = SKEP_TRY(copy_in_timespec(a[2])),
                      first = SKEP_TRY(copy_in_timespec(a[2] + sizeof(LinuxTimespec)));
    const auto old = SKEP_TRY(timers().with(
        static_cast<std::int32_t>(a[0]), [&](PosixTimer& timer) -> Result<PosixTimer::Setting> {
            Nanoseconds deadline = 0;
            if (first)
                deadline = a[1] & kAbsolute ? SKEP_TRY(deadline_of(timer.clock(), first))
                                            : deadline_after(first);
            const PosixTimer::Setting before = timer.get();
            timer.set(deadline, period);
            return before;
        }));
    if (a[3])
        SKEP_TRY(put_setting(a[3], old));
    return 0;
}

Returns timer_gettime(Arguments a) {
    const auto setting = SKEP_TRY(timers().with(
        static_cast<std::int32_t>(a[0]),
        [](PosixTimer& timer) -> Result<PosixTimer::Setting> { return timer.get(); }));
    SKEP_TRY(put_setting(a[1], setting));
    return 0;
}

Returns timer_getoverrun(Arguments a) {
    return timers().with(static_cast<std::int32_t>(a[0]),
                         [](PosixTimer& timer) -> Returns { return timer.overruns(); });
}

constexpr Syscall kCalls[] = {
    {222, "timer_create", 3, timer_create, SyscallStatus::Partial,
     "CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME"},
    {223, "timer_settime", 4, timer_settime},
    {224, "timer_gettime", 2, timer_gettime},
    {225, "timer_getoverrun", 1, timer_getoverrun},
    {226, "timer_delete", 1, timer_delete},
};

}  // namespace

const std::span<const Syscall> timer_calls = kCalls;

}  // namespace skep::kernel::linux_abi
