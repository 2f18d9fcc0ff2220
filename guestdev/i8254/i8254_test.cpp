#include <guestdev/core/fake_time_test.hpp>
#include <guestdev/core/persist_test.hpp>
#include <guestdev/i8254/i8254.hpp>
#include <guestdev/i8254/i8254_bus.hpp>

#include <gtest/gtest.h>

namespace skep::guestdev {
namespace {

GuestTime at_tick(std::uint64_t tick) {
    return time_of_tick(tick, I8254Channel::kFrequency);
}

TEST(GuestTime, TicksAndTimesAgree) {
    for (std::uint64_t tick : {0ull, 1ull, 2ull, 1193181ull, 1193182ull, 123456789012ull}) {
        EXPECT_EQ(ticks_at(at_tick(tick), I8254Channel::kFrequency), tick);
        if (tick > 0) {
            EXPECT_EQ(ticks_at(at_tick(tick) - 1, I8254Channel::kFrequency), tick - 1);
        }
    }
}

TEST(I8254, RateGeneratorCountsDownAndRepeats) {
    I8254 pit;
    pit.write(3, 0x34, 0);
    pit.write(0, 100, 0);
    pit.write(0, 0, 0);
    EXPECT_EQ(pit.channels[0].next_rising_edge(), at_tick(100));
    EXPECT_FALSE(pit.channels[0].rising_edge(at_tick(99)));
    EXPECT_FALSE(pit.channels[0].output(at_tick(99)));
    EXPECT_TRUE(pit.channels[0].rising_edge(at_tick(100)));
    EXPECT_FALSE(pit.channels[0].rising_edge(at_tick(100)));
    EXPECT_TRUE(pit.channels[0].rising_edge(at_tick(450)));
    EXPECT_EQ(pit.channels[0].next_rising_edge(), at_tick(500));
    pit.write(3, 0x00, at_tick(530));  // latch
    EXPECT_EQ(pit.read(0, at_tick(999)), 70);
    EXPECT_EQ(pit.read(0, at_tick(999)), 0);
}

TEST(I8254, Channel2OneShotForCalibration) {
    // As Linux calibrates: gate on, mode 0, about 50 ms, poll OUT2 in port 0x61.
    I8254 pit;
    pit.write_port_61(0x01, 0);
    pit.write(3, 0xb0, 0);
    pit.write(2, 0x38, 0);
    pit.write(2, 0xe9, 0);
    EXPECT_EQ(pit.read_port_61(at_tick(0xe937)) & 0x20, 0);
    EXPECT_EQ(pit.read_port_61(at_tick(0xe938)) & 0x20, 0x20);
}

TEST(I8254, ReadBackGivesStatusThenCount) {
    I8254 pit;
    pit.write(3, 0x36, 0);
    pit.write(0, 0, 0);
    pit.write(0, 0, 0);
    pit.write(3, 0xc2, at_tick(0x8001));
    EXPECT_EQ(pit.read(0, 0), 0x36);  // output low: second half
    std::uint16_t low = pit.read(0, 0);
    EXPECT_EQ(low | pit.read(0, 0) << 8, 0xfffe);
}

TEST(I8254, BcdZeroIsTenThousand) {
    I8254 pit;
    pit.write(3, 0x31, 0);
    pit.write(0, 0, 0);
    pit.write(0, 0, 0);
    EXPECT_EQ(pit.channels[0].state.reload, 10'000u);
    pit.write(3, 0x00, at_tick(1));
    EXPECT_EQ(pit.read(0, 0), 0x99);
    EXPECT_EQ(pit.read(0, 0), 0x99);
}

TEST(I8254, OneShotFiresOnce) {
    I8254 pit;
    pit.write(3, 0x30, 0);
    pit.write(0, 10, 0);
    pit.write(0, 0, 0);
    EXPECT_TRUE(pit.channels[0].rising_edge(at_tick(10)));
    EXPECT_EQ(pit.channels[0].next_rising_edge(), kNever);
}

TEST(I8254, RefreshBitToggles) {
    I8254 pit;
    EXPECT_NE(pit.read_port_61(0) & 0x10, pit.read_port_61(15'100) & 0x10);
}

TEST(I8254Bus, RestoresInThePeriodsMiddle) {
    FakeTime time;
    unsigned rises = 0;
    I8254Bus first(time, IrqLine());
    Bus ports;
    ASSERT_TRUE(first.attach(ports));
    ports.write(0x43, 1, 0x34);
    ports.write(0x40, 1, 0xe8);
    ports.write(0x40, 1, 0x03);
    time.value = at_tick(1500);
    first.advance(time.value);
    ports.write(0x43, 1, 0x00);
    EXPECT_EQ(ports.read(0x40, 1), 500u & 0xff);
    I8254Bus second(time, IrqLine([&](bool up) { rises += up; }));
    Bus other;
    ASSERT_TRUE(second.attach(other));
    ASSERT_TRUE(persist(first, second));
    EXPECT_EQ(other.read(0x40, 1), 500u >> 8);  // the latched high byte
    rises = 0;
    EXPECT_EQ(second.next_event(), at_tick(2000));
    second.advance(at_tick(2000));
    EXPECT_EQ(rises, 1u);
}

TEST(I8254Bus, RefusesImpossibleState) {
    FakeTime time;
    I8254Bus pit(time, IrqLine());
    snapshot::v1::I8254 state;
    EXPECT_EQ(restore_error(pit, state), "device i8254 pit: not three channels");
    for (int i = 0; i < 3; i++)
        state.add_channels()->set_access(3);
    EXPECT_EQ(restore_error(pit, state), "device i8254 pit: channel 0: reload is not in 1..65536");
}

}  // namespace
}  // namespace skep::guestdev
