#include <guestdev/core/persist_test.hpp>
#include <guestdev/uart16550/uart16550.hpp>
#include <guestdev/uart16550/uart16550_bus.hpp>

#include <gtest/gtest.h>

namespace skep::guestdev {
namespace {

TEST(Uart16550, SendsWhatIsWrittenAndIsEmptyAtOnce) {
    Uart16550 uart;
    EXPECT_EQ(uart.write(0, 'x'), 'x');
    EXPECT_EQ(uart.read(5), 0x60);
}

TEST(Uart16550, DivisorLatchHidesDataRegisters) {
    Uart16550 uart;
    uart.write(3, 0x83);
    EXPECT_EQ(uart.write(0, 0x01), std::nullopt);
    uart.write(1, 0x02);
    EXPECT_EQ(uart.state().divisor, 0x0201);
    EXPECT_EQ(uart.read(1), 0x02);
    uart.write(3, 0x03);
    EXPECT_EQ(uart.read(1), 0);
}

TEST(Uart16550, InterruptNeedsOut2AndFollowsPriority) {
    Uart16550 uart;
    uart.write(1, 0x03);  // receive and transmit
    EXPECT_FALSE(uart.interrupt());
    uart.write(4, 0x08);
    EXPECT_TRUE(uart.interrupt());
    uart.receive('a');
    EXPECT_EQ(uart.read(2) & 0x0f, 0x04);  // receive before transmit
    EXPECT_EQ(uart.read(0), 'a');
    EXPECT_EQ(uart.read(2) & 0x0f, 0x02);
    EXPECT_EQ(uart.read(2) & 0x0f, 0x01);  // reading it acknowledged it
    EXPECT_FALSE(uart.interrupt());
}

TEST(Uart16550, FifoTriggerAndTimeout) {
    Uart16550 uart;
    uart.write(2, 0x81);  // FIFO on, trigger at 8
    uart.write(1, 0x01);
    for (int i = 0; i < 7; i++)
        uart.receive(static_cast<std::uint8_t>(i));
    EXPECT_EQ(uart.read(2), 0xcc);
    uart.receive(7);
    EXPECT_EQ(uart.read(2), 0xc4);
    for (int i = 8; i < 16; i++)
        uart.receive(static_cast<std::uint8_t>(i));
    EXPECT_FALSE(uart.can_receive());
    uart.receive(99);
    EXPECT_EQ(uart.read(5) & 0x02, 0x02);  // overrun, once
    EXPECT_EQ(uart.read(5) & 0x02, 0);
    for (int i = 0; i < 16; i++)
        EXPECT_EQ(uart.read(0), i);
    EXPECT_EQ(uart.read(0), 0);
}

TEST(Uart16550, LoopbackWiresOutputsToInputs) {
    Uart16550 uart;
    uart.write(4, 0x1a);  // loop, OUT2, RTS
    EXPECT_EQ(uart.read(6) & 0xf0, 0x90);
    EXPECT_EQ(uart.write(0, 0x5a), std::nullopt);
    EXPECT_EQ(uart.read(0), 0x5a);
}

TEST(Uart16550, UnknownRegisterReadsOnes) {
    Uart16550 uart;
    EXPECT_EQ(uart.read(8), 0xff);
}

TEST(Uart16550Bus, KeepsOutputUntilTakenAndDropsBeyondTheLimit) {
    unsigned added = 0;
    Uart16550Bus bus("com1", IrqLine(), [&] { added++; });
    for (std::size_t i = 0; i < Uart16550Bus::kOutputLimit + 3; i++)
        bus.write(0, 1, 'x');
    EXPECT_EQ(bus.output().size(), Uart16550Bus::kOutputLimit);
    EXPECT_EQ(bus.output_lost(), 3u);
    EXPECT_EQ(added, Uart16550Bus::kOutputLimit);
}

TEST(Uart16550Bus, RestoresEverythingAndTheInterruptLevel) {
    bool level = false;
    auto line = [&] { return IrqLine([&](bool up) { level = up; }); };
    Uart16550Bus first("com1", line(), [] {});
    first.write(2, 1, 0xc1);
    first.write(1, 1, 0x0f);
    first.write(4, 1, 0x0b);
    first.write(7, 1, 0x42);
    first.write(0, 1, 'o');
    first.receive('i');
    EXPECT_TRUE(level);
    level = false;
    Uart16550Bus second("com1", line(), [] {});
    ASSERT_TRUE(persist(first, second));
    EXPECT_TRUE(level);
    EXPECT_EQ(second.output(), "o");
    EXPECT_EQ(second.read(7, 1), 0x42u);
    EXPECT_EQ(second.read(0, 1), 'i');
    EXPECT_EQ(second.save()->SerializeAsString().size(), [&] {
        first.read(0, 1);
        return first.save()->SerializeAsString().size();
    }());
}

TEST(Uart16550Bus, RefusesImpossibleState) {
    Uart16550Bus bus("com1", IrqLine(), [] {});
    snapshot::v1::Uart16550 state;
    state.set_receive_fifo(std::string(17, 'x'));
    EXPECT_EQ(restore_error(bus, state),
              "device uart16550 com1: receive FIFO holds more than 16 bytes");
    state.Clear();
    state.set_ier(0x1ff);
    EXPECT_EQ(restore_error(bus, state), "device uart16550 com1: ier is wider than 8 bits");
}

}  // namespace
}  // namespace skep::guestdev
