// nice values (setpriority(2)): how long a thread keeps its CPU from others that want it too.
#pragma once

#include <kernel/sync/wait.hpp>

#include <array>

namespace skep::kernel {

inline constexpr int kNiceLeast = -20, kNiceMost = 20;

inline constexpr Nanoseconds kSlice = 10'000'000;

// Threads that always want to run have turns, so that their shares are as their slices: 1 to 4 at
// the one end, 20 to 1 at the other. The longest stays near the patience of those who wait.
constexpr Nanoseconds slice_of(int nice) {
    constexpr auto kSlices = [] {
        constexpr unsigned kLonger = 107, kShorter = 86;  // per step, in hundredths
        std::array<Nanoseconds, kNiceMost - kNiceLeast + 1> slices{};
        slices[-kNiceLeast] = kSlice;
        for (std::size_t i = -kNiceLeast; i > 0; i--)
            slices[i - 1] = slices[i] * kLonger / 100;
        for (std::size_t i = -kNiceLeast; i + 1 < slices.size(); i++)
            slices[i + 1] = slices[i] * kShorter / 100;
        return slices;
    }();
    return kSlices[static_cast<std::size_t>(nice - kNiceLeast)];
}

static_assert(slice_of(0) == kSlice);
static_assert(slice_of(kNiceMost) > kSlice / 25 && slice_of(kNiceMost) < kSlice / 15);
static_assert(slice_of(kNiceLeast) < 4 * kSlice);

}  // namespace skep::kernel
