// Times of system calls, where both personalities agree: struct timespec and timeval, sleeping, CPU
// clocks, alarms.
#pragma once

#include <kernel/mm/user.hpp>
#include <kernel/sched/clock.hpp>

namespace skep::kernel {
class Process;
class Thread;
}  // namespace skep::kernel

namespace skep::kernel::abi {

struct Timespec {
    std::int64_t seconds, nanoseconds;
};
struct Timeval {
    std::int64_t seconds, microseconds;
};
static_assert(sizeof(Timespec) == 16 && sizeof(Timeval) == 16);
struct IntervalTimer {
    Timeval interval, value;
};

inline constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;

constexpr Timespec to_timespec(std::int64_t time) {
    std::int64_t seconds = time / kNanosecondsPerSecond, rest = time % kNanosecondsPerSecond;
    if (rest < 0)
        seconds--, rest += kNanosecondsPerSecond;
    return {seconds, rest};
}
constexpr Timeval to_timeval(std::int64_t time) {
    const Timespec t = to_timespec(time);
    return {t.seconds, t.nanoseconds / 1000};
}

// Nanoseconds; Inval if negative or malformed. What does not fit is a very long time.
Result<Nanoseconds> copy_in_timespec(UserAddr at);
Result<Nanoseconds> copy_in_timeval(UserAddr at);
// Of a file's time, which may lie before 1970; Inval unless 0 <= nanoseconds < 10^9.
Result<std::int64_t> from_timespec(const Timespec&);
Result<std::int64_t> from_timeval(const Timeval&);

// A monotonic deadline that far from now; kForever if it never comes.
Nanoseconds deadline_after(Nanoseconds duration);
// The monotonic deadline at which a clock that shows `now` will show `absolute`.
Nanoseconds deadline_at(Nanoseconds absolute, Nanoseconds now);

// Intr: the rest goes to the timespec at `remaining`, unless that is null.
Result<> sleep_until_signal(Nanoseconds deadline, UserAddr remaining);

Nanoseconds thread_time(const Thread&);

// setitimer(2)'s, by their numbers, alike in both.
enum class Itimer : std::uint64_t {
    Real,
    Virtual,
    Profiling
};
Result<Itimer> itimer_argument(std::uint64_t which);  // Inval
IntervalTimer read_alarm(Process&, Itimer = Itimer::Real);
void set_alarm(Process&, Nanoseconds value, Nanoseconds interval, Itimer = Itimer::Real);

}  // namespace skep::kernel::abi
