// A 16550A UART (National PC16550D data sheet; section numbers below are its own).
//
// Pure state machine. Not emulated: the line's speed (a byte is sent the moment it is written, so
// the transmitter is always empty), parity, break, DMA mode. A character below the FIFO's trigger
// level is announced at once instead of after four character times.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace skep::guestdev {

class Uart16550 {
  public:
    static constexpr unsigned kRegisters = 8;
    static constexpr unsigned kFifoSize = 16;

    struct State {
        std::uint8_t interrupt_enable = 0;    // 8.6
        std::uint8_t fifo_control = 0;        // 8.4, without the self-clearing bits
        std::uint8_t line_control = 0;        // 8.1
        std::uint8_t modem_control = 0;       // 8.7
        std::uint8_t scratch = 0;             // 8.9
        std::uint16_t divisor = 12;           // 8.3; 9600 baud
        bool overrun = false;                 // LSR bit 1
        std::uint8_t modem_delta = 0;         // MSR bits 0..3
        std::uint8_t modem_lines = 0xb0;      // MSR bits 4..7: CTS, DSR, DCD present
        bool transmit_empty_pending = false;  // THRE interrupt raised and not yet acknowledged
        std::deque<std::uint8_t> receive_fifo;
    };

    Uart16550() = default;
    // A reason if `state` is none that the chip can be in.
    static std::optional<std::string> check(const State& state);
    explicit Uart16550(State state) : state_(std::move(state)) {}

    std::uint8_t read(unsigned reg);
    // The byte that leaves on the wire, if the write sends one.
    std::optional<std::uint8_t> write(unsigned reg, std::uint8_t value);

    bool can_receive() const;
    void receive(std::uint8_t byte);

    // The level of INTR, which the board gates with OUT2.
    bool interrupt() const;
    const State& state() const { return state_; }

  private:
    unsigned receive_capacity() const;
    std::uint8_t interrupt_identification() const;
    std::uint8_t line_status() const;
    std::uint8_t modem_status() const;
    bool loopback() const;

    State state_;
};

}  // namespace skep::guestdev
