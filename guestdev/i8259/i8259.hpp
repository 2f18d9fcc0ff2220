// The two 8259A interrupt controllers of a PC, cascaded on input 2 (Intel 8259A data sheet).
//
// Pure state machine. Not emulated: the 8080 mode, buffered mode.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace skep::guestdev {

class I8259Chip {
  public:
    struct State {
        std::uint8_t irr = 0, imr = 0, isr = 0;
        std::uint8_t lines = 0;  // levels of the inputs
        std::uint8_t level = 0;  // ELCR
        std::uint8_t vector_base = 0;
        std::uint8_t icw1 = 0, icw3 = 0, icw4 = 0;
        std::uint8_t next_icw = 0;         // the ICW that is expected; 0 = none
        std::uint8_t lowest_priority = 7;  // input
        bool read_isr = false;
        bool poll = false;
        bool special_mask = false;
        bool rotate_on_auto_eoi = false;
        bool operator==(const State&) const = default;
    };

    static std::optional<std::string> check(const State& state);

    void set_line(unsigned input, bool up);
    void set_level_triggered(std::uint8_t mask);
    // INT.
    bool output() const { return pending().has_value(); }
    // INTA: the input that is served; 7 if it went away meanwhile (a spurious interrupt).
    unsigned acknowledge();

    std::uint8_t read_command();
    std::uint8_t read_data();
    void write_command(std::uint8_t value);
    void write_data(std::uint8_t value);

    State state;

  private:
    unsigned priority_of(std::uint8_t inputs) const;
    std::optional<unsigned> pending() const;
    void end_of_interrupt(std::uint8_t command);
};

class I8259 {
  public:
    static constexpr unsigned kCascadeInput = 2;

    void set_line(unsigned irq, bool up);
    bool output() const { return master_.output(); }
    // The vector that the CPU gets.
    std::uint8_t acknowledge();

    std::uint8_t read(bool slave, bool data_port);
    void write(bool slave, bool data_port, std::uint8_t value);
    std::uint8_t read_elcr(bool slave) const;
    void write_elcr(bool slave, std::uint8_t value);

    const I8259Chip::State& master() const { return master_.state; }
    const I8259Chip::State& slave() const { return slave_.state; }
    void restore(const I8259Chip::State& master, const I8259Chip::State& slave);

  private:
    void update_cascade() { master_.set_line(kCascadeInput, slave_.output()); }

    I8259Chip master_, slave_;
};

}  // namespace skep::guestdev
