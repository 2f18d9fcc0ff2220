// The fixed hardware of ACPI 6.4, 4.8.3, as PIIX4 lays it out: PM1 event and control registers, the
// power-management timer; and the PC's three ways to reset.
//
// Pure state machine. ACPI mode is always on (SCI_EN reads as one). Sleep states other than S5 do
// not exist. The power button is the only event beside the timer.
#pragma once

#include <guestdev/core/time.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace skep::guestdev {

enum class PowerRequest {
    None,
    PowerOff,
    Reset
};

class AcpiPm {
  public:
    static constexpr std::uint64_t kTimerFrequency = 3'579'545;
    static constexpr unsigned kTimerBits = 24;
    static constexpr std::uint8_t kSleepTypeS5 = 0;  // PIIX4's SUS_TYP for soft off; \_S5 says so

    // Offsets from the register block's base; ACPI tables name the same.
    static constexpr unsigned kEventBlock = 0, kControlBlock = 4, kTimerBlock = 8, kSize = 12;

    struct State {
        std::uint16_t status = 0, enable = 0, control = 1;
        std::uint64_t timer_checked_tick = 0;
        std::uint8_t reset_control = 0;
        std::uint8_t port_92 = 2;  // A20 on
    };
    static std::optional<std::string> check(const State& state);

    std::uint16_t read_status(GuestTime now);
    std::uint16_t read_enable() const { return state.enable; }
    std::uint16_t read_control() const { return state.control; }
    std::uint32_t read_timer(GuestTime now) const;
    void write_status(std::uint16_t value, GuestTime now);  // ones clear
    void write_enable(std::uint16_t value, GuestTime now);
    PowerRequest write_control(std::uint16_t value);

    void press_power_button();

    void advance(GuestTime now);
    GuestTime next_event() const;  // of the timer's carry, if it interrupts
    bool interrupt() const { return state.status & state.enable; }

    PowerRequest write_reset_control(std::uint8_t value);     // port 0xcf9
    PowerRequest write_port_92(std::uint8_t value);           // fast A20 and reset
    static PowerRequest write_port_64(std::uint8_t command);  // keyboard controller

    State state;
};

}  // namespace skep::guestdev
