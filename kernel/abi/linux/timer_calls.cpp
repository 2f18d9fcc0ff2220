// timer_create and its kin: asm-generic/siginfo.h, linux/time.h.
#include <kernel/abi/linux/signal_numbers.hpp>
#include <kernel/abi/linux/tables.hpp>
#include <kernel/abi/linux/time.hpp>
#include <kernel/abi/timers.hpp>

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
    return abi::create_timer(a[0], SKEP_TRY(notice_argument(a[1])), a[2]);
}

Returns timer_delete(Arguments a) {
    return abi::delete_timer(a[0]);
}
Returns timer_settime(Arguments a) {
    if (!a[2])
        return fail(Errno::Inval);
    return abi::set_timer(a[0], a[1], a[2], a[3], deadline_of);
}
Returns timer_gettime(Arguments a) {
    return abi::get_timer(a[0], a[1]);
}
Returns timer_getoverrun(Arguments a) {
    return abi::timer_overruns(a[0]);
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
