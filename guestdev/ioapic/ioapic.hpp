// The I/O APIC (Intel 82093AA data sheet): 24 inputs to interrupt messages.
//
// Pure state machine: messages leave through the sink. Edges that arrive while their entry is
// masked are lost, as on the chip. Delivery status always reads idle.
#pragma once

#include <guestdev/core/irq.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace skep::guestdev {

class IoApic {
  public:
    static constexpr unsigned kInputs = 24;

    struct State {
        std::uint8_t id = 0;
        std::uint8_t select = 0;
        std::array<std::uint64_t, kInputs> redirection;
        std::uint32_t lines = 0;
        State();
    };
    static std::optional<std::string> check(const State& state);

    void set_line(unsigned input, bool up, const MsiSink& sink);
    // The local APIC saw the EOI of a level-triggered vector.
    void end_of_interrupt(std::uint8_t vector, const MsiSink& sink);

    // Memory-mapped registers, by offset from the base.
    std::uint32_t read(std::uint64_t offset) const;
    void write(std::uint64_t offset, std::uint32_t value, const MsiSink& sink);

    State state;

  private:
    std::uint32_t read_register(std::uint8_t index) const;
    void write_register(std::uint8_t index, std::uint32_t value, const MsiSink& sink);
    void deliver_level(unsigned input, const MsiSink& sink);
};

}  // namespace skep::guestdev
