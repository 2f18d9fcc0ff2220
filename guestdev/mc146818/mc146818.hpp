// The real-time clock and CMOS memory of a PC (Motorola MC146818A data sheet).
//
// Pure state machine: the clock is a base plus guest time, so it stands still while the guest does.
// Not emulated: the divider chain (it always runs at 32.768 kHz), daylight saving, square wave
// output.
#pragma once

#include <guestdev/core/time.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace skep::guestdev {

class Mc146818 {
  public:
    static constexpr unsigned kMemorySize = 128;
    static constexpr std::uint8_t kCenturyRegister = 0x32;  // FADT.CENTURY names it

    struct State {
        std::array<std::uint8_t, kMemorySize> memory{};
        std::uint8_t index = 0;
        std::int64_t wall_clock_ns = 0;  // Unix time shown at guest time 0
        GuestTime checked_ns = 0;        // flags of register C are right up to here
    };
    static std::optional<std::string> check(const State& state);

    Mc146818() = default;
    explicit Mc146818(std::int64_t wall_clock_ns);
    explicit Mc146818(const State& state) : state_(state) {}

    std::uint8_t read_index() const { return state_.index; }
    void write_index(std::uint8_t value) { state_.index = value & (kMemorySize - 1); }
    std::uint8_t read_data(GuestTime now);
    void write_data(std::uint8_t value, GuestTime now);

    // Sets the flags of what happened until `now`.
    void advance(GuestTime now);
    // When an enabled interrupt may happen next.
    GuestTime next_event() const;
    bool interrupt() const;
    const State& state() const { return state_; }

  private:
    bool clock_set() const;  // the SET bit holds the clock
    bool update_in_progress(GuestTime now) const;
    GuestTime periodic_interval() const;  // 0 = off
    void show_time(GuestTime now);        // clock to registers
    void take_time(GuestTime now);        // registers to clock
    bool alarm_matches(std::int64_t unix_seconds) const;
    std::uint8_t encode(unsigned value) const;
    unsigned decode(std::uint8_t value) const;
    std::uint8_t encode_hour(unsigned hour) const;
    unsigned decode_hour(std::uint8_t value) const;

    State state_;
};

}  // namespace skep::guestdev
