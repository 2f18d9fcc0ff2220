// FreeBSD calls on time: sys/time.h, sys/_clock_id.h.
#include <kernel/abi/freebsd/clock.hpp>
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/abi/time.hpp>
#include <kernel/proc/process.hpp>

namespace skep::kernel::freebsd_abi {

Result<Nanoseconds> read_clock(std::uint64_t clock) {
    switch (static_cast<Clock>(static_cast<std::int32_t>(clock))) {
        case Clock::Realtime:
        case Clock::RealtimePrecise:
        case Clock::RealtimeFast:
        case Clock::Second:
            return static_cast<Nanoseconds>(realtime_now());
        case Clock::Monotonic:
        case Clock::Uptime:
        case Clock::UptimePrecise:
        case Clock::UptimeFast:
        case Clock::MonotonicPrecise:
        case Clock::MonotonicFast:
            return monotonic_now();
        case Clock::Virtual:
        case Clock::Prof:
        case Clock::ProcessCpu:
            return process_time(current_process());
        case Clock::ThreadCpu:
            return abi::thread_time(current_thread());
    }
    // clock_getcpuclockid2: a sign bit, a kind bit, the number.
    if (clock & kCpuClock) {
        const auto id = static_cast<std::int32_t>(clock & kCpuClockIdMask);
        const SpinGuard guard(process_lock);
        if (clock & kCpuClockOfProcess) {
            if (Process* p = find_process(id))
                return process_time(*p);
        } else if (const Thread* t = find_thread(id); t && t->process == &current_process()) {
            return abi::thread_time(*t);
        }
    }
    return fail(Errno::Inval);
}

Result<Nanoseconds> deadline_of(std::uint64_t clock, Nanoseconds absolute) {
    return abi::deadline_at(absolute, SKEP_TRY(read_clock(clock)));
}

namespace {

Returns clock_gettime(Arguments a) {
    const auto time = static_cast<std::int64_t>(SKEP_TRY(read_clock(a[0])));
    abi::Timespec spec = abi::to_timespec(time);
    if (static_cast<Clock>(a[0]) == Clock::Second)
        spec.nanoseconds = 0;
    SKEP_TRY(copy_out(a[1], spec));
    return 0;
}

Returns clock_getres(Arguments a) {
    SKEP_TRY(read_clock(a[0]));
    if (a[1])
        SKEP_TRY(copy_out(a[1], static_cast<Clock>(a[0]) == Clock::Second ? abi::Timespec{1, 0}
                                                                          : abi::Timespec{0, 1}));
    return 0;
}

Result<> require_superuser() {
    if (current_process().credentials.effective_user != 0)
        return fail(Errno::Perm);
    return {};
}

Returns clock_settime(Arguments a) {
    if (static_cast<Clock>(a[0]) != Clock::Realtime)
        return fail(Errno::Inval);
    const auto now = SKEP_TRY(abi::copy_in_timespec(a[1]));
    SKEP_TRY(require_superuser());
    set_realtime(static_cast<std::int64_t>(now));
    return 0;
}

Returns clock_getcpuclockid2(Arguments a) {
    constexpr std::int32_t kOfThread = 0, kOfProcess = 1;
    const auto id = static_cast<std::int64_t>(a[0]);
    std::uint32_t clock;
    switch (static_cast<std::int32_t>(a[1])) {
        case kOfThread:
            clock = kCpuClock | static_cast<std::uint32_t>(id ? id : current_thread().id);
            break;
        case kOfProcess:
            clock = kCpuClock | kCpuClockOfProcess |
                    static_cast<std::uint32_t>(id ? id : current_process().id);
            break;
        default:
            return fail(Errno::Inval);
    }
    if (!read_clock(clock))
        return fail(Errno::Srch);
    SKEP_TRY(copy_out(a[2], clock));
    return 0;
}

Returns nanosleep(Arguments a) {
    SKEP_TRY(
        abi::sleep_until_signal(abi::deadline_after(SKEP_TRY(abi::copy_in_timespec(a[0]))), a[1]));
    return 0;
}

// Tells its error as its result.
Returns clock_nanosleep(Arguments a) {
    constexpr std::uint64_t kAbsolute = 1;
    const auto sleep = [&]() -> Result<> {
        const auto time = SKEP_TRY(abi::copy_in_timespec(a[2]));
        if (a[1] & ~kAbsolute)
            return fail(Errno::Inval);
        if (a[1] & kAbsolute)
            return abi::sleep_until_signal(SKEP_TRY(deadline_of(a[0], time)), 0);
        SKEP_TRY(read_clock(a[0]));
        return abi::sleep_until_signal(abi::deadline_after(time), a[3]);
    };
    const Result<> slept = sleep();
    return slept ? 0 : static_cast<std::uint64_t>(slept.error());
}

Returns gettimeofday(Arguments a) {
    if (a[0])
        SKEP_TRY(copy_out(a[0], abi::to_timeval(realtime_now())));
    if (a[1])
        SKEP_TRY(copy_out(a[1], std::uint64_t{0}));  // a time zone: none
    return 0;
}

Returns settimeofday(Arguments a) {
    SKEP_TRY(require_superuser());
    if (a[0])
        set_realtime(static_cast<std::int64_t>(SKEP_TRY(abi::copy_in_timeval(a[0]))));
    return 0;
}

Result<abi::Itimer> itimer_argument(std::uint64_t which) {
    return abi::itimer_argument(static_cast<std::uint32_t>(which));
}

Returns getitimer(Arguments a) {
    const abi::Itimer which = SKEP_TRY(itimer_argument(a[0]));
    SKEP_TRY(copy_out(a[1], abi::read_alarm(current_process(), which)));
    return 0;
}

Returns setitimer(Arguments a) {
    const abi::Itimer which = SKEP_TRY(itimer_argument(a[0]));
    Process& me = current_process();
    const abi::IntervalTimer old = abi::read_alarm(me, which);
    if (a[1]) {
        const Nanoseconds interval = SKEP_TRY(abi::copy_in_timeval(a[1]));
        const Nanoseconds value = SKEP_TRY(abi::copy_in_timeval(a[1] + sizeof(abi::Timeval)));
        abi::set_alarm(me, value, interval, which);
    }
    if (a[2])
        SKEP_TRY(copy_out(a[2], old));
    return 0;
}

constexpr Syscall kCalls[] = {
    {83, "setitimer", 3, setitimer, SyscallStatus::Partial,
     "ITIMER_VIRTUAL counts the kernel's time too"},
    {86, "getitimer", 2, getitimer},
    {116, "gettimeofday", 2, gettimeofday},
    {122, "settimeofday", 2, settimeofday, SyscallStatus::Partial, "no time zones"},
    {232, "clock_gettime", 2, clock_gettime},
    {233, "clock_settime", 2, clock_settime},
    {234, "clock_getres", 2, clock_getres},
    {240, "nanosleep", 2, nanosleep},
    {244, "clock_nanosleep", 4, clock_nanosleep},
    {247, "clock_getcpuclockid2", 3, clock_getcpuclockid2},
};

}  // namespace

const std::span<const Syscall> time_calls = kCalls;

}  // namespace skep::kernel::freebsd_abi
