#include <guestdev/core/fake_time_test.hpp>
#include <guestdev/core/persist_test.hpp>
#include <guestdev/mc146818/mc146818.hpp>
#include <guestdev/mc146818/mc146818_bus.hpp>

#include <gtest/gtest.h>

namespace skep::guestdev {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kDate = 1'700'000'000 * kSecond;  // 2023-11-14 22:13:20 UTC, a Tuesday

std::uint8_t get(Mc146818& rtc, std::uint8_t reg, GuestTime now) {
    rtc.write_index(reg);
    return rtc.read_data(now);
}
void set(Mc146818& rtc, std::uint8_t reg, std::uint8_t value, GuestTime now) {
    rtc.write_index(reg);
    rtc.write_data(value, now);
}

TEST(Mc146818, ShowsTheDateInBcd) {
    Mc146818 rtc(kDate);
    EXPECT_EQ(get(rtc, 0, 0), 0x20);
    EXPECT_EQ(get(rtc, 2, 0), 0x13);
    EXPECT_EQ(get(rtc, 4, 0), 0x22);
    EXPECT_EQ(get(rtc, 6, 0), 3);
    EXPECT_EQ(get(rtc, 7, 0), 0x14);
    EXPECT_EQ(get(rtc, 8, 0), 0x11);
    EXPECT_EQ(get(rtc, 9, 0), 0x23);
    EXPECT_EQ(get(rtc, 0x32, 0), 0x20);
    EXPECT_EQ(get(rtc, 0, 45 * kSecond), 0x05);
    EXPECT_EQ(get(rtc, 2, 45 * kSecond), 0x14);
    EXPECT_EQ(get(rtc, 0x0d, 0), 0x80);
}

TEST(Mc146818, BinaryAndTwelveHours) {
    Mc146818 rtc(kDate);
    set(rtc, 11, 0x04, 0);
    EXPECT_EQ(get(rtc, 4, 0), 0x80 | 10);
    EXPECT_EQ(get(rtc, 2, 0), 13);
}

TEST(Mc146818, SettingTheClock) {
    Mc146818 rtc(kDate);
    set(rtc, 11, 0x86, 0);  // SET, binary, 24 h
    set(rtc, 0, 1, 0);
    set(rtc, 2, 2, 0);
    set(rtc, 4, 3, 0);
    set(rtc, 7, 29, 0);
    set(rtc, 8, 2, 0);
    set(rtc, 9, 24, 0);
    EXPECT_EQ(get(rtc, 0, 10 * kSecond), 1);  // held
    set(rtc, 11, 0x06, 20 * kSecond);
    EXPECT_EQ(get(rtc, 0, 20 * kSecond), 1);
    EXPECT_EQ(get(rtc, 0, 25 * kSecond), 6);
    EXPECT_EQ(get(rtc, 7, 20 * kSecond), 29);
    EXPECT_EQ(get(rtc, 7, 20 * kSecond + 86'400 * kSecond), 1);
}

TEST(Mc146818, NonsenseDatesAreTolerated) {
    Mc146818 rtc(kDate);
    for (std::uint8_t reg : {0, 2, 4, 7, 8, 9, 0x32})
        set(rtc, reg, 0xff, 0);
    get(rtc, 9, kSecond);
    for (std::uint8_t reg : {0, 2, 4, 7, 8, 9, 0x32})
        set(rtc, reg, 0x00, 0);
    get(rtc, 9, kSecond);
}

TEST(Mc146818, UpdateInProgressBeforeTheSecond) {
    Mc146818 rtc(kDate);
    EXPECT_EQ(get(rtc, 10, 0), 0x26);
    EXPECT_EQ(get(rtc, 10, kSecond - 244'000), 0xa6);
    EXPECT_EQ(get(rtc, 10, kSecond), 0x26);
}

TEST(Mc146818, PeriodicInterrupt) {
    Mc146818 rtc(kDate);
    set(rtc, 11, 0x42, 0);
    GuestTime first = rtc.next_event();
    EXPECT_EQ(first, 976'562u);
    rtc.advance(first - 1);
    EXPECT_FALSE(rtc.interrupt());
    rtc.advance(first);
    EXPECT_TRUE(rtc.interrupt());
    EXPECT_EQ(rtc.next_event(), kNever);  // until acknowledged
    EXPECT_EQ(get(rtc, 12, first), 0xc0);
    EXPECT_FALSE(rtc.interrupt());
    EXPECT_EQ(rtc.next_event(), 2 * 976'562u);
}

TEST(Mc146818, AlarmAndUpdate) {
    Mc146818 rtc(kDate);
    set(rtc, 1, 0x23, 0);
    set(rtc, 3, 0xff, 0);
    set(rtc, 5, 0xff, 0);
    set(rtc, 11, 0x22, 0);
    EXPECT_EQ(rtc.next_event(), static_cast<GuestTime>(kSecond));
    rtc.advance(2 * kSecond);
    EXPECT_FALSE(rtc.interrupt());
    rtc.advance(3 * kSecond);
    EXPECT_TRUE(rtc.interrupt());
    EXPECT_EQ(get(rtc, 12, 3 * kSecond), 0x80 | 0x40 | 0x20 | 0x10);
}

TEST(Mc146818Bus, RestoresTheClock) {
    FakeTime time;
    Mc146818Bus first(time, IrqLine(), kDate), second(time, IrqLine(), 0);
    first.write(0, 1, 0x40);
    first.write(1, 1, 0x99);
    time.value = 30 * kSecond;
    first.write(0, 1, 0);
    ASSERT_TRUE(persist(first, second));
    EXPECT_EQ(second.read(1, 1), 0x50u);
    second.write(0, 1, 0x40);
    EXPECT_EQ(second.read(1, 1), 0x99u);
    EXPECT_EQ(second.read(0, 1), 0xffu);
}

TEST(Mc146818Bus, RefusesImpossibleState) {
    FakeTime time;
    Mc146818Bus rtc(time, IrqLine(), 0);
    snapshot::v1::Mc146818 state;
    EXPECT_EQ(restore_error(rtc, state), "device mc146818 rtc: memory is not 128 bytes");
    state.set_memory(std::string(128, '\0'));
    state.set_wall_clock_ns(INT64_MIN);
    EXPECT_EQ(restore_error(rtc, state), "device mc146818 rtc: wall clock is out of range");
}

}  // namespace
}  // namespace skep::guestdev
