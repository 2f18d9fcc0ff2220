#include <guestdev/core/persist_test.hpp>
#include <guestdev/ioapic/ioapic.hpp>
#include <guestdev/ioapic/ioapic_bus.hpp>

#include <gtest/gtest.h>

#include <vector>

namespace skep::guestdev {
namespace {

struct IoApicTest : testing::Test {
    void entry(unsigned input, std::uint64_t value) {
        for (unsigned half : {1u, 0u}) {
            ioapic.write(0, 0x10 + 2 * input + half, sink);
            ioapic.write(0x10, static_cast<std::uint32_t>(value >> half * 32), sink);
        }
    }
    std::uint64_t entry(unsigned input) {
        ioapic.write(0, 0x10 + 2 * input, sink);
        std::uint64_t low = ioapic.read(0x10);
        ioapic.write(0, 0x11 + 2 * input, sink);
        return low | std::uint64_t{ioapic.read(0x10)} << 32;
    }
    std::vector<Msi> sent;
    MsiSink sink = [this](const Msi& msi) { sent.push_back(msi); };
    IoApic ioapic;
};

TEST_F(IoApicTest, VersionAndMaskedAtReset) {
    ioapic.write(0, 1, sink);
    EXPECT_EQ(ioapic.read(0x10), 0x0017'0011u);
    EXPECT_EQ(entry(5), 0x1'0000u);
    ioapic.set_line(5, true, sink);
    EXPECT_TRUE(sent.empty());
}

TEST_F(IoApicTest, EdgeSendsOncePerRise) {
    entry(4, 0x0300'0000'0000'0031);
    ioapic.set_line(4, true, sink);
    ioapic.set_line(4, true, sink);
    ioapic.set_line(4, false, sink);
    ioapic.set_line(4, true, sink);
    EXPECT_EQ(sent, (std::vector<Msi>{{0xfee0'3000, 0x31}, {0xfee0'3000, 0x31}}));
}

TEST_F(IoApicTest, LogicalLowestPriority) {
    entry(4, 0x0100'0000'0000'0931);
    ioapic.set_line(4, true, sink);
    EXPECT_EQ(sent, (std::vector<Msi>{{0xfee0'1004, 0x131}}));
}

TEST_F(IoApicTest, LevelWaitsForEndOfInterrupt) {
    entry(10, 0x8041);
    ioapic.set_line(10, true, sink);
    EXPECT_EQ(sent, (std::vector<Msi>{{0xfee0'0000, 0xc041}}));
    EXPECT_EQ(entry(10), 0xc041u);  // remote IRR
    ioapic.set_line(10, false, sink);
    ioapic.set_line(10, true, sink);
    EXPECT_EQ(sent.size(), 1u);
    ioapic.end_of_interrupt(0x42, sink);
    EXPECT_EQ(sent.size(), 1u);
    ioapic.end_of_interrupt(0x41, sink);
    EXPECT_EQ(sent.size(), 2u);
    ioapic.set_line(10, false, sink);
    ioapic.end_of_interrupt(0x41, sink);
    EXPECT_EQ(sent.size(), 2u);
    EXPECT_EQ(entry(10), 0x8041u);
}

TEST_F(IoApicTest, LevelArrivesWhenUnmasked) {
    entry(10, 0x1'8041);
    ioapic.set_line(10, true, sink);
    EXPECT_TRUE(sent.empty());
    entry(10, 0x8041);
    EXPECT_EQ(sent.size(), 1u);
}

TEST_F(IoApicTest, EdgeModeClearsRemoteIrr) {
    entry(10, 0x8041);
    ioapic.set_line(10, true, sink);
    entry(10, 0x1'0041);
    EXPECT_EQ(entry(10), 0x1'0041u);
}

TEST_F(IoApicTest, UnknownRegistersReadOnes) {
    ioapic.write(0, 0x40, sink);
    EXPECT_EQ(ioapic.read(0x10), 0xffff'ffffu);
    EXPECT_EQ(ioapic.read(0x20), 0xffff'ffffu);
}

TEST(IoApicBus, RestoresInterruptInServiceWithoutSendingAgain) {
    unsigned sent = 0;
    IoApicBus first([](const Msi&) {}), second([&](const Msi&) { sent++; });
    Bus memory;
    ASSERT_TRUE(first.attach(memory));
    memory.write(IoApicBus::kBase, 1, 0x10 + 2 * 11);
    memory.write(IoApicBus::kBase + 0x10, 4, 0x8051);
    first.set_line(11, true);
    ASSERT_TRUE(persist(first, second));
    second.set_line(11, true);
    EXPECT_EQ(sent, 0u);
    second.end_of_interrupt(0x51);
    EXPECT_EQ(sent, 1u);
}

TEST(IoApicBus, RefusesImpossibleState) {
    IoApicBus ioapic([](const Msi&) {});
    snapshot::v1::IoApic state;
    EXPECT_EQ(restore_error(ioapic, state), "device ioapic ioapic0: not 24 redirection entries");
    for (int i = 0; i < 24; i++)
        state.add_redirection(1ull << 20);
    EXPECT_EQ(restore_error(ioapic, state),
              "device ioapic ioapic0: reserved bits of a redirection entry are set");
}

}  // namespace
}  // namespace skep::guestdev
