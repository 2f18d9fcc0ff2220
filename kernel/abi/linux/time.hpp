// Times in Linux's form, for every topic that has timeouts.
#pragma once

#include <kernel/abi/time.hpp>

namespace skep::kernel::linux_abi {

using LinuxTimespec = abi::Timespec;
using LinuxTimeval = abi::Timeval;
using abi::copy_in_timespec, abi::copy_in_timeval, abi::to_timespec, abi::to_timeval,
    abi::deadline_after;

// The monotonic time of an absolute time of a Linux clock (CLOCK_REALTIME 0, CLOCK_MONOTONIC 1...).
Result<Nanoseconds> deadline_of(std::uint64_t clock, Nanoseconds absolute);

}  // namespace skep::kernel::linux_abi
