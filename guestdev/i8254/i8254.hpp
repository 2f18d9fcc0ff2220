// The 8254 programmable interval timer (Intel 8254 data sheet) at the PC's 1.193182 MHz, and the
// bits of port 0x61 that belong to it.
//
// Pure state machine: the time is an argument. A count starts at the moment of its write, not at
// the next clock pulse; BCD counts are computed in binary and shown in BCD.
#pragma once

#include <guestdev/core/time.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skep::guestdev {

class I8254Channel {
  public:
    static constexpr std::uint64_t kFrequency = 1'193'182;

    struct State {
        std::uint8_t mode = 3;
        bool bcd = false;
        std::uint8_t access = 3;         // 1 low byte, 2 high byte, 3 both
        std::uint32_t reload = 0x10000;  // 1..0x10000, in BCD 1..10000
        bool counting = false;
        std::uint64_t start_tick = 0;
        bool gate = true;
        bool write_high_next = false;
        std::uint8_t write_low = 0;
        bool read_high_next = false;
        std::vector<std::uint8_t> latched;  // at most 3: status, low, high
        bool null_count = true;
        std::uint64_t edges_until_tick = 0;  // rising_edge() told of all before
    };
    static std::optional<std::string> check(const State& state);

    void program(std::uint8_t control);  // control word, bits 0..5
    void write(std::uint8_t value, GuestTime now);
    std::uint8_t read(GuestTime now);
    void latch_count(GuestTime now);
    void latch_status(GuestTime now);
    void set_gate(bool gate, GuestTime now);
    bool output(GuestTime now) const;
    // Whether the output rose since the last call.
    bool rising_edge(GuestTime now);
    // Of the output's next rise after what rising_edge() told of.
    GuestTime next_rising_edge() const;

    State state;

  private:
    std::uint16_t count(GuestTime now) const;
    std::uint64_t elapsed(GuestTime now) const;
    // The first tick after `tick` at which the output rises; kNever if it does not.
    std::uint64_t next_edge_tick(std::uint64_t tick) const;
    bool is_periodic() const { return state.mode == 2 || state.mode == 3; }
};

class I8254 {
  public:
    static constexpr unsigned kChannels = 3;

    std::uint8_t read(unsigned port, GuestTime now);  // 0..3
    void write(unsigned port, std::uint8_t value, GuestTime now);

    // Port 0x61 (NMI status and control): bit 0 gate of channel 2, bit 1 speaker, bit 4 toggles
    // with the refresh (15.1 us), bit 5 output of channel 2.
    std::uint8_t read_port_61(GuestTime now) const;
    void write_port_61(std::uint8_t value, GuestTime now);

    I8254();
    std::array<I8254Channel, kChannels> channels;
    bool speaker_data = false;
};

}  // namespace skep::guestdev
