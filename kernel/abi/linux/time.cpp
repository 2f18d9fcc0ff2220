#include <kernel/abi/linux/time.hpp>

#include <kernel/abi/linux/tables.hpp>
#include <kernel/proc/process.hpp>

namespace skep::kernel::linux_abi {

namespace {

using Arguments = const std::uint64_t*;
using Returns = Result<std::uint64_t>;

constexpr std::int64_t kBillion = 1'000'000'000;
constexpr std::int64_t kMaxSeconds = 9'000'000'000;  // fits nanoseconds in 63 bits

// linux/time.h
enum class Clock : std::uint64_t {
    Realtime = 0,
    Monotonic = 1,
    ProcessCpu = 2,
    ThreadCpu = 3,
    MonotonicRaw = 4,
    RealtimeCoarse = 5,
    MonotonicCoarse = 6,
    Boottime = 7,
    RealtimeAlarm = 8,
    BoottimeAlarm = 9,
    Tai = 11,
};

Result<Nanoseconds> read_clock(std::uint64_t clock) {
    switch (static_cast<Clock>(clock)) {
        case Clock::Realtime:
        case Clock::RealtimeCoarse:
        case Clock::RealtimeAlarm:
        case Clock::Tai:
            return static_cast<Nanoseconds>(realtime_now());
        case Clock::Monotonic:
        case Clock::MonotonicRaw:
        case Clock::MonotonicCoarse:
        case Clock::Boottime:
        case Clock::BoottimeAlarm:
            return monotonic_now();
        case Clock::ProcessCpu:
            return process_time(current_process());
        case Clock::ThreadCpu:
            return abi::thread_time(current_thread());
    }
    // A negative number names a thread's or process's CPU clock (pthread_getcpuclockid): ~id << 3 |
    // kind.
    if (static_cast<std::int32_t>(clock) < 0) {
        const std::int32_t id = ~(static_cast<std::int32_t>(clock) >> 3);
        constexpr std::uint64_t kPerThread = 4;
        const SpinGuard guard(process_lock);
        if (clock & kPerThread) {
            const Thread* t = id ? find_thread(id) : &current_thread();
            if (t && t->process == &current_process())
                return abi::thread_time(*t);
        } else if (Process* p = id ? find_process(id) : &current_process()) {
            return process_time(*p);
        }
    }
    return fail(Errno::Inval);
}

Returns clock_gettime(Arguments a) {
    SKEP_TRY(copy_out(a[1], to_timespec(SKEP_TRY(read_clock(a[0])))));
    return 0;
}

Returns clock_getres(Arguments a) {
    SKEP_TRY(read_clock(a[0]));
    if (a[1])
        SKEP_TRY(copy_out(a[1], LinuxTimespec{0, 1}));
    return 0;
}

Returns clock_settime(Arguments a) {
    if (static_cast<Clock>(a[0]) != Clock::Realtime)
        return fail(Errno::Inval);
    const auto now = SKEP_TRY(copy_in_timespec(a[1]));
    if (current_process().credentials.effective_user != 0)
        return fail(Errno::Perm);
    set_realtime(static_cast<std::int64_t>(now));
    return 0;
}

Returns sleep_to(Nanoseconds deadline, UserAddr remaining) {
    SKEP_TRY(abi::sleep_until_signal(deadline, remaining));
    return 0;
}

Returns nanosleep(Arguments a) {
    return sleep_to(deadline_after(SKEP_TRY(copy_in_timespec(a[0]))), a[1]);
}

Returns clock_nanosleep(Arguments a) {
    constexpr std::uint64_t kAbsolute = 1;
    const auto time = SKEP_TRY(copy_in_timespec(a[2]));
    if (a[1] & kAbsolute)
        return sleep_to(SKEP_TRY(deadline_of(a[0], time)), 0);
    SKEP_TRY(read_clock(a[0]));
    return sleep_to(deadline_after(time), a[3]);
}

Returns gettimeofday(Arguments a) {
    if (a[0])
        SKEP_TRY(copy_out(a[0], to_timeval(realtime_now())));
    if (a[1])
        SKEP_TRY(copy_out(a[1], std::uint64_t{0}));  // a time zone: none
    return 0;
}

Returns settimeofday(Arguments a) {
    if (current_process().credentials.effective_user != 0)
        return fail(Errno::Perm);
    if (a[0])
        set_realtime(static_cast<std::int64_t>(SKEP_TRY(copy_in_timeval(a[0]))));
    return 0;
}

Returns time(Arguments a) {
    const auto now = static_cast<std::uint64_t>(realtime_now() / kBillion);
    if (a[0])
        SKEP_TRY(copy_out(a[0], now));
    return now;
}

Returns getitimer(Arguments a) {
    const abi::Itimer which = SKEP_TRY(abi::itimer_argument(a[0]));
    SKEP_TRY(copy_out(a[1], abi::read_alarm(current_process(), which)));
    return 0;
}

Returns setitimer(Arguments a) {
    const abi::Itimer which = SKEP_TRY(abi::itimer_argument(a[0]));
    Process& me = current_process();
    const abi::IntervalTimer old = abi::read_alarm(me, which);
    const Nanoseconds interval = a[1] ? SKEP_TRY(copy_in_timeval(a[1])) : 0;
    const Nanoseconds value = a[1] ? SKEP_TRY(copy_in_timeval(a[1] + sizeof(LinuxTimeval))) : 0;
    abi::set_alarm(me, value, interval, which);
    if (a[2])
        SKEP_TRY(copy_out(a[2], old));
    return 0;
}

Returns alarm(Arguments a) {
    Process& me = current_process();
    const abi::IntervalTimer old = abi::read_alarm(me);
    abi::set_alarm(me, (a[0] & 0xffff'ffff) * kBillion, 0);
    return static_cast<std::uint64_t>(old.value.seconds + (old.value.microseconds ? 1 : 0));
}

constexpr Syscall kCalls[] = {
    {35, "nanosleep", 2, nanosleep},
    {36, "getitimer", 2, getitimer},
    {37, "alarm", 1, alarm},
    {38, "setitimer", 3, setitimer, SyscallStatus::Partial,
     "ITIMER_VIRTUAL counts the kernel's time too"},
    {96, "gettimeofday", 2, gettimeofday},
    {164, "settimeofday", 2, settimeofday, SyscallStatus::Partial, "no time zones"},
    {201, "time", 1, time},
    {227, "clock_settime", 2, clock_settime},
    {228, "clock_gettime", 2, clock_gettime},
    {229, "clock_getres", 2, clock_getres},
    {230, "clock_nanosleep", 4, clock_nanosleep},
};

}  // namespace

Result<Nanoseconds> deadline_of(std::uint64_t clock, Nanoseconds absolute) {
    return abi::deadline_at(absolute, SKEP_TRY(read_clock(clock)));
}

const std::span<const Syscall> time_calls = kCalls;

}  // namespace skep::kernel::linux_abi
