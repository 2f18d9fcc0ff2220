#include <guestdev/acpi_pm/acpi_pm.hpp>

namespace skep::guestdev {
namespace {

// PM1 status and enable, ACPI 4.8.3.1.
enum Pm1Event : std::uint16_t {
    kTimer = 1 << 0,
    kPowerButton = 1 << 8
};
constexpr std::uint16_t kEvents = kTimer | kPowerButton;
constexpr std::uint16_t kEnables = kEvents | 1 << 5 | 1 << 10;  // GBL_EN, RTC_EN keep their value
// PM1 control, 4.8.3.2.1.
enum Pm1Control : std::uint16_t {
    kSciEnable = 1 << 0,
    kSleepTypeShift = 10,
    kSleepEnable = 1 << 13
};
constexpr std::uint16_t kControlKept = 7 << kSleepTypeShift | 1 << 1;
// Port 0xcf9.
enum ResetControl : std::uint8_t {
    kResetCpu = 4,
    kResetKept = 0x0a
};
// Port 0x92.
enum Port92 : std::uint8_t {
    kFastReset = 1,
    kA20 = 2
};
constexpr std::uint8_t kPulseReset = 0xfe;  // keyboard controller: pulse output bit 0

}  // namespace

std::optional<std::string> AcpiPm::check(const State& state) {
    if (state.status & ~kEvents)
        return "PM1 status has unknown bits";
    if (state.enable & ~kEnables)
        return "PM1 enable has unknown bits";
    if (state.control & ~(kControlKept | kSciEnable))
        return "PM1 control has unknown bits";
    return std::nullopt;
}

void AcpiPm::advance(GuestTime now) {
    std::uint64_t tick = ticks_at(now, kTimerFrequency);
    if (tick <= state.timer_checked_tick)
        return;
    // TMR_STS follows each change of the counter's highest bit.
    if (state.timer_checked_tick >> (kTimerBits - 1) != tick >> (kTimerBits - 1))
        state.status |= kTimer;
    state.timer_checked_tick = tick;
}

GuestTime AcpiPm::next_event() const {
    if (!(state.enable & kTimer) || (state.status & kTimer))
        return kNever;
    std::uint64_t next = ((state.timer_checked_tick >> (kTimerBits - 1)) + 1) << (kTimerBits - 1);
    return time_of_tick(next, kTimerFrequency);
}

std::uint32_t AcpiPm::read_timer(GuestTime now) const {
    return static_cast<std::uint32_t>(ticks_at(now, kTimerFrequency) & ((1u << kTimerBits) - 1));
}

std::uint16_t AcpiPm::read_status(GuestTime now) {
    advance(now);
    return state.status;
}

void AcpiPm::write_status(std::uint16_t value, GuestTime now) {
    advance(now);
    state.status &= static_cast<std::uint16_t>(~value);
}

void AcpiPm::write_enable(std::uint16_t value, GuestTime now) {
    advance(now);
    state.enable = value & kEnables;
}

PowerRequest AcpiPm::write_control(std::uint16_t value) {
    state.control = (value & kControlKept) | kSciEnable;
    if ((value & kSleepEnable) && (value >> kSleepTypeShift & 7) == kSleepTypeS5)
        return PowerRequest::PowerOff;
    return PowerRequest::None;
}

void AcpiPm::press_power_button() {
    state.status |= kPowerButton;
}

PowerRequest AcpiPm::write_reset_control(std::uint8_t value) {
    bool rises = (value & kResetCpu) && !(state.reset_control & kResetCpu);
    state.reset_control = value & kResetKept;
    return rises ? PowerRequest::Reset : PowerRequest::None;
}

PowerRequest AcpiPm::write_port_92(std::uint8_t value) {
    bool rises = (value & kFastReset) && !(state.port_92 & kFastReset);
    state.port_92 = (value & kFastReset) | kA20;  // A20 cannot be turned off
    return rises ? PowerRequest::Reset : PowerRequest::None;
}

PowerRequest AcpiPm::write_port_64(std::uint8_t command) {
    return command == kPulseReset ? PowerRequest::Reset : PowerRequest::None;
}

}  // namespace skep::guestdev
