// FreeBSD's clock ids: sys/_clock_id.h.
#pragma once

#include <kernel/sync/wait.hpp>

#include <cstdint>

namespace skep::kernel::freebsd_abi {

enum class Clock : std::int32_t {
    Realtime = 0,
    Virtual = 1,
    Prof = 2,
    Monotonic = 4,
    Uptime = 5,
    UptimePrecise = 7,
    UptimeFast = 8,
    RealtimePrecise = 9,
    RealtimeFast = 10,
    MonotonicPrecise = 11,
    MonotonicFast = 12,
    Second = 13,
    ThreadCpu = 14,
    ProcessCpu = 15,
};

// CPU clocks of other threads and processes: sys/time.h's CPUCLOCK_*.
inline constexpr std::uint32_t kCpuClock = 0x8000'0000, kCpuClockOfProcess = 0x4000'0000,
                               kCpuClockIdMask = 0x3fff'ffff;

Result<Nanoseconds> read_clock(std::uint64_t clock);
// The monotonic time at which `clock` shows `absolute`.
Result<Nanoseconds> deadline_of(std::uint64_t clock, Nanoseconds absolute);

}  // namespace skep::kernel::freebsd_abi
