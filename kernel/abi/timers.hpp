// timer_create(2) and its kin, where both personalities agree: all but the clocks' numbers and
// struct sigevent.
#pragma once

#include <kernel/abi/time.hpp>
#include <kernel/proc/posix_timers.hpp>

namespace skep::kernel::abi {

struct TimerSpec {  // struct itimerspec
    Timespec interval, value;
};
static_assert(sizeof(TimerSpec) == 32);

// The monotonic time at which a personality's clock shows `absolute`.
using DeadlineOf = Result<Nanoseconds> (*)(std::uint64_t clock, Nanoseconds absolute);

// System calls of the calling process: `number` as the program passed it.
// The new timer's number, an int, goes to `told`.
Result<std::uint64_t> create_timer(std::uint64_t clock, const TimerNotice&, UserAddr told);
Result<std::uint64_t> delete_timer(std::uint64_t number);
// `setting`, `old`: TimerSpecs; what was set before goes to `old` unless that is null.
Result<std::uint64_t> set_timer(std::uint64_t number, std::uint64_t flags, UserAddr setting,
                                UserAddr old, DeadlineOf);
Result<std::uint64_t> get_timer(std::uint64_t number, UserAddr setting);
Result<std::uint64_t> timer_overruns(std::uint64_t number);

}  // namespace skep::kernel::abi
