#include <guestdev/core/persist_test.hpp>
#include <guestdev/pvclock/pvclock.hpp>
#include <guestdev/pvclock/pvclock_device.hpp>

#include <gtest/gtest.h>

namespace skep::guestdev {
namespace {

// As Linux computes it (pvclock_scale_delta).
std::uint64_t scale(std::uint64_t ticks, TscScale by) {
    ticks = by.shift < 0 ? ticks >> -by.shift : ticks << by.shift;
    return static_cast<std::uint64_t>(static_cast<Wide>(ticks) * by.multiplier >> 32);
}

TEST(PvClock, ScaleIsExactToPartsPerBillion) {
    for (std::uint64_t frequency : {100'000'000ull, 999'999'999ull, 1'000'000'000ull,
                                    2'000'000'000ull, 2'596'148'000ull, 5'000'000'000ull}) {
        std::uint64_t second = scale(frequency, tsc_scale(frequency));
        EXPECT_NEAR(static_cast<double>(second), 1e9, 5) << frequency;
    }
}

TEST(PvClock, WritesTheGuestsPages) {
    std::vector<std::byte> ram(0x3000);
    GuestMemory memory;
    memory.add(0, ram);
    PvClock clock(2, 1'700'000'000'123'456'789, 2'000'000'000);
    ASSERT_TRUE(clock.write(1, PvClock::kSystemTimeMsr, 0x1001, 5'000, 777, memory));
    EXPECT_EQ(clock.read(1, PvClock::kSystemTimeMsr), 0x1001u);
    EXPECT_EQ(*memory.read<std::uint32_t>(0x1000), 2u);
    EXPECT_EQ(*memory.read<std::uint64_t>(0x1008), 777u);
    EXPECT_EQ(*memory.read<std::uint64_t>(0x1010), 5'000u);
    EXPECT_EQ(*memory.read<std::uint8_t>(0x101d), 1u);
    ASSERT_TRUE(clock.write(0, PvClock::kWallClockMsr, 0x2000, 0, 0, memory));
    EXPECT_EQ(*memory.read<std::uint32_t>(0x2004), 1'700'000'000u);
    EXPECT_EQ(*memory.read<std::uint32_t>(0x2008), 123'456'789u);
    EXPECT_FALSE(clock.write(0, PvClock::kSystemTimeMsr, 0xffff'f001, 0, 0, memory));
    ASSERT_TRUE(clock.write(1, PvClock::kSystemTimeMsr, 0, 0, 0, memory));
}

TEST(PvClockDevice, Restores) {
    std::vector<std::byte> ram(0x1000);
    GuestMemory memory;
    memory.add(0, ram);
    PvClockDevice first(2, 42, 1'000'000'000), second(2, 0, 1'000'000'000);
    ASSERT_TRUE(first.clock.write(1, PvClock::kSystemTimeMsr, 0x101, 0, 0, memory));
    ASSERT_TRUE(persist(first, second));
    EXPECT_EQ(second.clock.read(1, PvClock::kSystemTimeMsr), 0x101u);
    EXPECT_EQ(second.clock.state.wall_clock_ns, 42);
    snapshot::v1::PvClock state;
    EXPECT_EQ(restore_error(second, state),
              "device pvclock kvmclock: not one system time MSR per vCPU");
}

}  // namespace
}  // namespace skep::guestdev
