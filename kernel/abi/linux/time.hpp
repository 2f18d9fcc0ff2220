// Times in Linux's form, for every topic that has timeouts.
#pragma once

#include <kernel/mm/user.hpp>
#include <kernel/sched/clock.hpp>

namespace skep::kernel::linux_abi {

struct LinuxTimespec {
    std::int64_t seconds, nanoseconds;
};
struct LinuxTimeval {
    std::int64_t seconds, microseconds;
};

// Nanoseconds; Inval if negative or malformed. What does not fit is a very long time.
Result<Nanoseconds> copy_in_timespec(UserAddr at);
Result<Nanoseconds> copy_in_timeval(UserAddr at);
LinuxTimespec to_timespec(std::uint64_t nanoseconds);
LinuxTimeval to_timeval(std::uint64_t nanoseconds);
// A monotonic deadline that far from now; kForever if it never comes.
Nanoseconds deadline_after(Nanoseconds duration);
// The monotonic time of an absolute time of a Linux clock (CLOCK_REALTIME 0, CLOCK_MONOTONIC 1...).
Result<Nanoseconds> deadline_of(std::uint64_t clock, Nanoseconds absolute);

}  // namespace skep::kernel::linux_abi
