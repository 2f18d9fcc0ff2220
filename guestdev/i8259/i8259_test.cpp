#include <guestdev/core/persist_test.hpp>
#include <guestdev/i8259/i8259.hpp>
#include <guestdev/i8259/i8259_bus.hpp>

#include <gtest/gtest.h>

namespace skep::guestdev {
namespace {

// As Linux does it: vectors 0x30 and 0x38, all unmasked.
void initialize(I8259& pic, std::uint8_t icw4 = 1) {
    for (bool slave : {false, true}) {
        pic.write(slave, false, 0x11);
        pic.write(slave, true, slave ? 0x38 : 0x30);
        pic.write(slave, true, slave ? 2 : 4);
        pic.write(slave, true, icw4);
        pic.write(slave, true, 0);
    }
}

TEST(I8259, SilentUntilInitialized) {
    I8259 pic;
    pic.write(false, false, 0x11);
    pic.set_line(3, true);
    EXPECT_FALSE(pic.output());
}

TEST(I8259, DeliversByPriorityAndNests) {
    I8259 pic;
    initialize(pic);
    pic.set_line(4, true);
    pic.set_line(1, true);
    EXPECT_EQ(pic.acknowledge(), 0x31);
    EXPECT_FALSE(pic.output());  // 4 waits for 1
    pic.set_line(0, true);
    EXPECT_EQ(pic.acknowledge(), 0x30);
    pic.write(false, false, 0x20);
    EXPECT_FALSE(pic.output());
    pic.write(false, false, 0x20);
    EXPECT_EQ(pic.acknowledge(), 0x34);
}

TEST(I8259, EdgeOnlyOnce) {
    I8259 pic;
    initialize(pic);
    pic.set_line(4, true);
    EXPECT_EQ(pic.acknowledge(), 0x34);
    pic.write(false, false, 0x64);
    pic.set_line(4, true);
    EXPECT_FALSE(pic.output());
    pic.set_line(4, false);
    pic.set_line(4, true);
    EXPECT_TRUE(pic.output());
}

TEST(I8259, LevelUntilTheLineFalls) {
    I8259 pic;
    initialize(pic);
    pic.write_elcr(true, 0xff);
    EXPECT_EQ(pic.read_elcr(true), 0xde);
    pic.set_line(10, true);
    EXPECT_EQ(pic.acknowledge(), 0x3a);
    pic.write(true, false, 0x20);
    pic.write(false, false, 0x20);
    EXPECT_EQ(pic.acknowledge(), 0x3a);
    pic.set_line(10, false);
    pic.write(true, false, 0x20);
    pic.write(false, false, 0x20);
    EXPECT_FALSE(pic.output());
}

TEST(I8259, TwoRequestsOfTheSlaveBothArrive) {
    I8259 pic;
    initialize(pic);
    pic.set_line(12, true);
    pic.set_line(8, true);
    EXPECT_EQ(pic.acknowledge(), 0x38);
    pic.write(true, false, 0x20);
    pic.write(false, false, 0x20);
    ASSERT_TRUE(pic.output());
    EXPECT_EQ(pic.acknowledge(), 0x3c);
}

TEST(I8259, SpuriousWhenTheRequestWentAway) {
    I8259 pic;
    initialize(pic);
    pic.set_line(5, true);
    pic.set_line(5, false);
    EXPECT_FALSE(pic.output());
    EXPECT_EQ(pic.acknowledge(), 0x37);
    EXPECT_EQ(pic.master().isr, 0);
}

TEST(I8259, MaskAutoEoiPollAndReadBack) {
    I8259 pic;
    initialize(pic, 3);
    pic.write(false, true, 0x10);
    EXPECT_EQ(pic.read(false, true), 0x10);
    pic.set_line(4, true);
    EXPECT_FALSE(pic.output());
    EXPECT_EQ(pic.read(false, false), 0x10);  // IRR
    pic.write(false, true, 0);
    EXPECT_EQ(pic.acknowledge(), 0x34);
    pic.write(false, false, 0x0b);
    EXPECT_EQ(pic.read(false, false), 0);  // ISR: automatic EOI
    pic.set_line(6, true);
    pic.write(false, false, 0x0c);
    EXPECT_EQ(pic.read(false, false), 0x86);
}

TEST(I8259, Rotates) {
    I8259 pic;
    initialize(pic);
    pic.write(false, false, 0xc3);  // 3 is lowest, 4 highest
    pic.set_line(0, true);
    pic.set_line(5, true);
    EXPECT_EQ(pic.acknowledge(), 0x35);
}

TEST(I8259Bus, RestoresPendingInterrupt) {
    bool level = false;
    I8259Bus first{IrqLine()};
    Bus ports;
    ASSERT_TRUE(first.attach(ports));
    for (auto [port, value] : {std::pair{0x20, 0x11},
                               {0x21, 0x30},
                               {0x21, 4},
                               {0x21, 1},
                               {0xa0, 0x11},
                               {0xa1, 0x38},
                               {0xa1, 2},
                               {0xa1, 1}})
        ports.write(static_cast<std::uint64_t>(port), 1, static_cast<std::uint64_t>(value));
    first.set_line(14, true);
    I8259Bus second{IrqLine([&](bool up) { level = up; })};
    ASSERT_TRUE(persist(first, second));
    EXPECT_TRUE(level);
    EXPECT_EQ(second.acknowledge(), 0x3e);
    EXPECT_FALSE(level);
}

TEST(I8259Bus, RefusesImpossibleState) {
    I8259Bus pic{IrqLine()};
    snapshot::v1::I8259 state;
    EXPECT_EQ(restore_error(pic, state), "device i8259 pic: a chip is missing");
    state.mutable_master();
    state.mutable_slave()->set_next_icw(5);
    EXPECT_EQ(restore_error(pic, state), "device i8259 pic: slave: next_icw is not 0, 2, 3 or 4");
}

}  // namespace
}  // namespace skep::guestdev
