// The battery-backed clock (MC146818).
#pragma once

#include <cstdint>

namespace skep::kernel {

// Seconds since 1970-01-01 00:00; the clock is taken to keep UTC.
std::int64_t read_rtc();

}  // namespace skep::kernel
