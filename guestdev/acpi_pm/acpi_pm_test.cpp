#include <guestdev/acpi_pm/acpi_pm.hpp>
#include <guestdev/acpi_pm/acpi_pm_bus.hpp>
#include <guestdev/core/fake_time_test.hpp>
#include <guestdev/core/persist_test.hpp>

#include <gtest/gtest.h>

namespace skep::guestdev {
namespace {

struct AcpiPmTest : testing::Test {
    AcpiPmTest() { EXPECT_TRUE(pm.attach(ports)); }
    FakeTime time;
    Bus ports;
    bool sci = false;
    PowerRequest request = PowerRequest::None;
    AcpiPmBus pm{time, IrqLine([this](bool up) { sci = up; }),
                 [this](PowerRequest what) { request = what; }};
};

TEST_F(AcpiPmTest, TimerRunsAndWraps) {
    EXPECT_EQ(ports.read(0x608, 4), 0u);
    time.value = 1'000'000'000;
    EXPECT_EQ(ports.read(0x608, 4), 3'579'545u);
    EXPECT_EQ(ports.read(0x609, 1), 3'579'545u >> 8 & 0xff);
    time.value = time_of_tick(1 << 24, AcpiPm::kTimerFrequency);
    EXPECT_EQ(ports.read(0x608, 4), 0u);
}

TEST_F(AcpiPmTest, TimerCarryInterrupts) {
    ports.write(0x602, 2, 1);
    GuestTime carry = time_of_tick(1 << 23, AcpiPm::kTimerFrequency);
    EXPECT_EQ(pm.next_event(), carry);
    pm.advance(carry);
    EXPECT_TRUE(sci);
    EXPECT_EQ(pm.next_event(), kNever);
    time.value = carry;
    EXPECT_EQ(ports.read(0x600, 2), 1u);
    ports.write(0x600, 2, 1);
    EXPECT_FALSE(sci);
}

TEST_F(AcpiPmTest, PowerButton) {
    pm.press_power_button();
    EXPECT_FALSE(sci);
    ports.write(0x603, 1, 1);
    EXPECT_TRUE(sci);
    EXPECT_EQ(ports.read(0x600, 4), 0x0100'0100u);
}

TEST_F(AcpiPmTest, SleepTypeFivePowersOff) {
    EXPECT_EQ(ports.read(0x604, 2), 1u);  // ACPI mode
    ports.write(0x604, 2, 1 << 10 | 1 << 13);
    EXPECT_EQ(request, PowerRequest::None);
    ports.write(0x604, 2, 1 << 13);
    EXPECT_EQ(request, PowerRequest::PowerOff);
}

TEST_F(AcpiPmTest, ResetsByThreePorts) {
    pm.write_reset_control(2);
    EXPECT_EQ(request, PowerRequest::None);
    pm.write_reset_control(6);
    EXPECT_EQ(request, PowerRequest::Reset);
    request = PowerRequest::None;
    ports.write(0x64, 1, 0xfe);
    EXPECT_EQ(request, PowerRequest::Reset);
    request = PowerRequest::None;
    ports.write(0x92, 1, 2);
    EXPECT_EQ(request, PowerRequest::None);
    ports.write(0x92, 1, 3);
    EXPECT_EQ(request, PowerRequest::Reset);
}

TEST_F(AcpiPmTest, Restores) {
    ports.write(0x602, 2, 0x100);
    pm.press_power_button();
    bool restored_sci = false;
    AcpiPmBus other(time, IrqLine([&](bool up) { restored_sci = up; }), [](PowerRequest) {});
    ASSERT_TRUE(persist(pm, other));
    EXPECT_TRUE(restored_sci);
    snapshot::v1::AcpiPm state;
    state.set_pm1_status(2);
    EXPECT_EQ(restore_error(other, state), "device acpi-pm pm: PM1 status has unknown bits");
}

}  // namespace
}  // namespace skep::guestdev
