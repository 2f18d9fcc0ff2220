#include "hv/guest/local_apic.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <random>

namespace skep::hv {
namespace {

using Kind = ApicEffect::Kind;

class LocalApicTest : public testing::Test {
  protected:
    LocalApicTest() {
        apic->reset(2);
        apic->write(apic::kSvr, 0x1ff, 0);
    }
    void take() {
        const auto vector = apic->deliverable();
        ASSERT_TRUE(vector);
        apic->acknowledge(*vector);
    }
    ApicEffect end() { return apic->write(apic::kEoi, 0, 0); }
    void to_x2apic() {
        ASSERT_TRUE(apic->set_base(apic->base() | apic::kBaseX2, apic::kBaseAddress));
    }

    std::unique_ptr<LocalApic> apic = std::make_unique<LocalApic>();
};

TEST_F(LocalApicTest, ResetState) {
    LocalApic fresh;
    fresh.reset(0);
    EXPECT_EQ(fresh.base(), 0xfee0'0900u);
    EXPECT_EQ(fresh.read(apic::kSvr, 0), 0xffu);
    EXPECT_EQ(fresh.read(apic::kDfr, 0), ~0u);
    EXPECT_EQ(fresh.read(apic::kLvtTimer, 0), 0x10000u);
    EXPECT_EQ(fresh.read(apic::kVersion, 0), 0x50014u);
    EXPECT_FALSE(fresh.accepts_fixed());
    EXPECT_EQ(apic->read(apic::kId, 0), 2u << 24);
    EXPECT_EQ(apic->base() & apic::kBaseBoot, 0u);
}

TEST_F(LocalApicTest, HigherClassesNest) {
    apic->accept(0x41, false);
    apic->accept(0x52, false);
    EXPECT_EQ(apic->deliverable(), 0x52);
    take();
    EXPECT_EQ(apic->processor_priority(), 0x50);
    EXPECT_FALSE(apic->deliverable()) << "0x41 is of a lower class";
    apic->accept(0x5f, false);
    EXPECT_FALSE(apic->deliverable()) << "same class";
    apic->accept(0x60, false);
    EXPECT_EQ(apic->deliverable(), 0x60);
    take();
    EXPECT_EQ(end().kind, Kind::None);
    EXPECT_FALSE(apic->deliverable());
    end();
    EXPECT_EQ(apic->deliverable(), 0x5f);
    take();
    end();
    EXPECT_EQ(apic->deliverable(), 0x41);
}

TEST_F(LocalApicTest, TaskPriorityBlocks) {
    apic->accept(0x50, false);
    apic->write(apic::kTpr, 0x50, 0);
    EXPECT_FALSE(apic->deliverable());
    EXPECT_EQ(apic->blocked_by_tpr(), 0x50);
    apic->write(apic::kTpr, 0x4f, 0);
    EXPECT_EQ(apic->deliverable(), 0x50);
    EXPECT_FALSE(apic->blocked_by_tpr());
}

TEST_F(LocalApicTest, LevelTriggeredEndIsTold) {
    apic->accept(0x33, true);
    take();
    const ApicEffect effect = end();
    EXPECT_EQ(effect.kind, Kind::EndOfLevel);
    EXPECT_EQ(effect.vector, 0x33);
    apic->accept(0x33, false);
    take();
    EXPECT_EQ(end().kind, Kind::None);
    EXPECT_EQ(end().kind, Kind::None) << "nothing in service";
}

TEST_F(LocalApicTest, OneShotTimer) {
    apic->write(apic::kDivide, 0x3, 1000);  // 16
    apic->write(apic::kLvtTimer, 0x40, 1000);
    EXPECT_EQ(apic->write(apic::kInitialCount, 100, 1000).kind, Kind::Timer);
    EXPECT_EQ(apic->deadline(1000, 0), 2600u);
    EXPECT_EQ(apic->read(apic::kCurrentCount, 1800), 50u);
    apic->poll_timer(2599, 0);
    EXPECT_FALSE(apic->deliverable());
    apic->poll_timer(2600, 0);
    EXPECT_EQ(apic->deliverable(), 0x40);
    EXPECT_EQ(apic->deadline(2600, 0), abi::kNoDeadline);
    EXPECT_EQ(apic->read(apic::kCurrentCount, 9999), 0u);
}

TEST_F(LocalApicTest, PeriodicTimerKeepsItsPhase) {
    apic->write(apic::kDivide, 0xb, 0);  // 1
    apic->write(apic::kLvtTimer, 0x20040, 0);
    apic->write(apic::kInitialCount, 100, 0);
    apic->poll_timer(350, 0);
    EXPECT_EQ(apic->deadline(350, 0), 400u);
    apic->poll_timer(400, 0);
    EXPECT_EQ(apic->deadline(400, 0), 500u);
    apic->write(apic::kInitialCount, 0, 450);
    EXPECT_EQ(apic->deadline(450, 0), abi::kNoDeadline);
}

TEST_F(LocalApicTest, MaskedTimerRunsSilently) {
    apic->write(apic::kDivide, 0xb, 0);
    apic->write(apic::kLvtTimer, 0x10040, 0);
    apic->write(apic::kInitialCount, 100, 0);
    apic->poll_timer(200, 0);
    EXPECT_FALSE(apic->deliverable());
    EXPECT_EQ(apic->deadline(200, 0), abi::kNoDeadline);
}

TEST_F(LocalApicTest, TscDeadlineIsGuestTime) {
    apic->set_tsc_deadline(500);
    EXPECT_EQ(apic->tsc_deadline(), 0u) << "not in that mode";
    apic->write(apic::kLvtTimer, 0x40041, 0);
    apic->set_tsc_deadline(5000);
    const u64 offset = u64{0} - 10'000;  // the guest is younger than the host
    EXPECT_EQ(apic->deadline(12'000, offset), 15'000u);
    apic->poll_timer(14'999, offset);
    EXPECT_FALSE(apic->deliverable());
    apic->poll_timer(15'000, offset);
    EXPECT_EQ(apic->deliverable(), 0x41);
    EXPECT_EQ(apic->tsc_deadline(), 0u);
    apic->set_tsc_deadline(1);
    EXPECT_EQ(apic->deadline(20'000, offset), 20'000u) << "long gone: now";
    EXPECT_EQ(apic->write(apic::kInitialCount, 7, 0).kind, Kind::None) << "ignored in this mode";
}

TEST_F(LocalApicTest, ChangingTheModeDisarms) {
    apic->write(apic::kLvtTimer, 0x40041, 0);
    apic->set_tsc_deadline(5000);
    apic->write(apic::kLvtTimer, 0x41, 0);
    EXPECT_EQ(apic->deadline(0, 0), abi::kNoDeadline);
}

TEST_F(LocalApicTest, MessagesFromBothRegisters) {
    apic->write(apic::kIcrHigh, 0x03000000, 0);
    const ApicEffect effect = apic->write(apic::kIcrLow, 0x4631, 0);
    ASSERT_EQ(effect.kind, Kind::Message);
    EXPECT_EQ(effect.message.destination, 3u);
    EXPECT_EQ(effect.message.mode, DeliveryMode::Startup);
    EXPECT_EQ(effect.message.vector, 0x31);
    EXPECT_EQ(apic->read(apic::kIcrHigh, 0), 0x03000000u);
    const ApicEffect init = apic->write(apic::kIcrLow, 0x8500, 0);
    EXPECT_TRUE(init.message.deassert);
    const ApicEffect others = apic->write(apic::kIcrLow, 0xc40fd, 0);
    EXPECT_EQ(others.message.shorthand, 3);
}

TEST_F(LocalApicTest, LogicalDestinations) {
    apic->write(apic::kLdr, 0x04000000, 0);
    const auto to = [](u32 destination) {
        ApicMessage message{};
        message.logical = true;
        message.destination = destination;
        return message;
    };
    EXPECT_TRUE(apic->matches(to(0x06)));
    EXPECT_FALSE(apic->matches(to(0x0a)));
    apic->write(apic::kDfr, 0, 0);  // cluster model
    apic->write(apic::kLdr, 0x31000000, 0);
    EXPECT_TRUE(apic->matches(to(0x31)));
    EXPECT_FALSE(apic->matches(to(0x21)));
    EXPECT_FALSE(apic->matches(to(0x32)));
    to_x2apic();
    ApicMessage wide = to(0x0000'0004);
    wide.wide = true;
    EXPECT_TRUE(apic->matches(wide));
    wide.destination = 0x0001'0004;
    EXPECT_FALSE(apic->matches(wide));
    EXPECT_EQ(apic->read_x2(apic::kLdr, 0), 4u);
}

TEST_F(LocalApicTest, PhysicalDestinations) {
    ApicMessage message = ApicMessage::from_msi(0xfee0'2000, 0x4051);
    EXPECT_TRUE(apic->matches(message));
    EXPECT_EQ(message.vector, 0x51);
    EXPECT_FALSE(message.level);
    message.destination = 1;
    EXPECT_FALSE(apic->matches(message));
    message.destination = 0xff;
    EXPECT_TRUE(apic->matches(message));
}

TEST_F(LocalApicTest, ModesOfTheBaseRegister) {
    constexpr u64 kMask = apic::kBaseAddress;
    EXPECT_FALSE(apic->set_base(apic->base() | 1, kMask));
    EXPECT_FALSE(apic->set_base(apic::kBaseDefault | apic::kBaseX2, kMask));
    to_x2apic();
    EXPECT_FALSE(apic->set_base(apic::kBaseDefault | apic::kBaseEnable, kMask)) << "back to xAPIC";
    ASSERT_TRUE(apic->set_base(apic::kBaseDefault, kMask));
    EXPECT_FALSE(apic->enabled());
    EXPECT_FALSE(apic->set_base(apic::kBaseDefault | apic::kBaseEnable | apic::kBaseX2, kMask));
    EXPECT_TRUE(apic->set_base(apic::kBaseDefault | apic::kBaseEnable, kMask));
    EXPECT_EQ(apic->read(apic::kSvr, 0), 0xffu) << "as after power-up";
}

TEST_F(LocalApicTest, X2ApicFaults) {
    to_x2apic();
    EXPECT_EQ(apic->read_x2(apic::kId, 0), 2u);
    EXPECT_FALSE(apic->read_x2(apic::kDfr, 0));
    EXPECT_FALSE(apic->read_x2(apic::kIcrHigh, 0));
    EXPECT_FALSE(apic->read_x2(0x3f0, 0));
    EXPECT_EQ(apic->write_x2(apic::kId, 0, 0).kind, Kind::Fault);
    EXPECT_EQ(apic->write_x2(apic::kEoi, 1, 0).kind, Kind::Fault);
    EXPECT_EQ(apic->write_x2(apic::kTpr, u64{1} << 32, 0).kind, Kind::Fault);
    EXPECT_EQ(apic->write_x2(apic::kLdr, 0, 0).kind, Kind::Fault);
    const ApicEffect ipi = apic->write_x2(apic::kIcrLow, u64{9} << 32 | 0x4041, 0);
    ASSERT_EQ(ipi.kind, Kind::Message);
    EXPECT_EQ(ipi.message.destination, 9u);
    EXPECT_TRUE(ipi.message.wide);
    EXPECT_EQ(apic->read_x2(apic::kIcrLow, 0), u64{9} << 32 | 0x4041);
    EXPECT_EQ(apic->write_x2(apic::kSelfIpi, 0x55, 0).message.shorthand, 1);
}

TEST_F(LocalApicTest, PageRoundTrip) {
    apic->accept(0x41, true);
    apic->accept(0x99, false);
    take();
    apic->write(apic::kTpr, 0x20, 0);
    apic->write(apic::kLdr, 0x04000000, 0);
    auto page = std::make_unique<LocalApic::Page>();
    apic->save(*page, 0);
    auto other = std::make_unique<LocalApic>();
    other->reset(2);
    other->load(*page);
    EXPECT_EQ(other->processor_priority(), 0x90);
    EXPECT_FALSE(other->deliverable());
    EXPECT_EQ(other->write(apic::kEoi, 0, 0).kind, Kind::None);
    EXPECT_EQ(other->deliverable(), 0x41);
    auto again = std::make_unique<LocalApic::Page>();
    apic->save(*again, 0);
    EXPECT_EQ(*again, *page);
}

TEST_F(LocalApicTest, TimerRemainingMoves) {
    apic->write(apic::kDivide, 0xb, 0);
    apic->write(apic::kLvtTimer, 0x40, 0);
    apic->write(apic::kInitialCount, 1000, 0);
    EXPECT_EQ(apic->timer_remaining(400), 600u);
    EXPECT_EQ(apic->timer_remaining(5000), 1u) << "due, but not taken";
    apic->set_timer_remaining(600, 90'000);
    EXPECT_EQ(apic->deadline(90'000, 0), 90'600u);
}

TEST_F(LocalApicTest, ExternalInterrupts) {
    EXPECT_FALSE(apic->accepts_extint());
    apic->write(apic::kLvtLint0, 0x700, 0);
    EXPECT_TRUE(apic->accepts_extint());
    apic->write(apic::kLvtLint0, 0x10700, 0);
    EXPECT_FALSE(apic->accepts_extint());
    ASSERT_TRUE(apic->set_base(apic::kBaseDefault, apic::kBaseAddress));
    EXPECT_TRUE(apic->accepts_extint());
}

// A CPU that answers for the registers puts a value into the page before hv hears of it: the same
// comes of it as of a write that hv carries out.
TEST_F(LocalApicTest, WritesOfACpuAreLikeOnesOfHv) {
    constexpr std::array kOffsets = {apic::kId,           apic::kLdr,        apic::kDfr,
                                     apic::kSvr,          apic::kEsr,        apic::kIcrLow,
                                     apic::kLvtTimer,     apic::kLvtThermal, apic::kLvtPerformance,
                                     apic::kLvtLint0,     apic::kLvtLint1,   apic::kLvtError,
                                     apic::kInitialCount, apic::kDivide};
    auto other = std::make_unique<LocalApic>();
    other->reset(apic->id());
    other->write(apic::kSvr, 0x1ff, 0);
    std::mt19937 random(5);
    u64 now = 1000;
    for (int i = 0; i < 5000; ++i) {
        now += random() % 3000;
        const u32 offset = kOffsets[random() % kOffsets.size()];
        const auto value = static_cast<u32>(random() % 4 == 0 ? random() : random() & 0x7'03ff);
        apic->poll_timer(now, 0);
        other->poll_timer(now, 0);
        const ApicEffect effect = apic->write(offset, value, now);
        const_cast<LocalApic::Page&>(other->page())[offset / 4] = value;
        const u32 written = other->take_written(offset);
        EXPECT_EQ(written, value);
        const ApicEffect same = other->write(offset, written, now);
        ASSERT_EQ(effect.kind, same.kind);
        ASSERT_EQ(effect.message.vector, same.message.vector);
        ASSERT_EQ(apic->deadline(now, 0), other->deadline(now, 0));
        ASSERT_EQ(apic->read(apic::kCurrentCount, now), other->read(apic::kCurrentCount, now));
        ASSERT_EQ(apic->accepts_extint(), other->accepts_extint());
        ASSERT_EQ(apic->page(), other->page()) << "offset " << offset;
    }
}

}  // namespace
}  // namespace skep::hv
