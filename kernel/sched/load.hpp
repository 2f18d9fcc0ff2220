// Load averages: how many threads ran or wanted to, over 1, 5 and 15 minutes.
#pragma once

#include <kernel/sync/wait.hpp>

#include <array>
#include <cstdint>

namespace skep::kernel {

inline constexpr std::uint32_t kLoadScale = 2048;  // of both Linux and FreeBSD
inline constexpr Nanoseconds kLoadPeriod = 5'000'000'000;

using LoadAverages = std::array<std::uint32_t, 3>;  // in 1/kLoadScale

// After another kLoadPeriod, in which `runnable` threads were seen.
LoadAverages aged(const LoadAverages&, std::uint32_t runnable);

void start_load_sampling();
LoadAverages load_averages();
std::uint32_t runnable_threads();  // now

}  // namespace skep::kernel
