#include <kernel/sched/load.hpp>

#include <gtest/gtest.h>

namespace skep::kernel {
namespace {

LoadAverages after_minutes(LoadAverages load, unsigned minutes, std::uint32_t runnable) {
    for (unsigned i = 0; i < minutes * 12; i++)
        load = aged(load, runnable);
    return load;
}

TEST(LoadTest, EachAverageNearsTheLoadInItsOwnTime) {
    const LoadAverages load = after_minutes({}, 1, 1);
    EXPECT_NEAR(load[0] / double{kLoadScale}, 0.63, 0.02);
    EXPECT_NEAR(load[1] / double{kLoadScale}, 0.18, 0.02);
    EXPECT_NEAR(load[2] / double{kLoadScale}, 0.065, 0.02);
    for (const std::uint32_t average : after_minutes(load, 200, 3))
        EXPECT_EQ(average, 3 * kLoadScale);
}

TEST(LoadTest, NothingToRunEndsInZero) {
    for (const std::uint32_t average : after_minutes({5 * kLoadScale, kLoadScale, 1}, 300, 0))
        EXPECT_EQ(average, 0u);
}

TEST(LoadTest, ManyThreadsDoNotOverflow) {
    const LoadAverages load = after_minutes({}, 200, 1'000'000);
    EXPECT_EQ(load[0], 1'000'000 * kLoadScale);
}

}  // namespace
}  // namespace skep::kernel
