// The processor's own clock. On Bochs it counts instructions.
#pragma once

#include <cstdint>

namespace skep::bench {

inline uint64_t ticks() {
    uint32_t low, high;
    asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
    return uint64_t{high} << 32 | low;
}

}  // namespace skep::bench
