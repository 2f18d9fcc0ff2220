// The rules between a terminal's keys and a program's read(), and between write() and the screen:
// canonical lines with editing, echo, signal characters, raw mode, output translation. A pure state
// machine: the owner locks, delivers the signals and sends the output.
//
// Not here: parity marks, XON/XOFF towards the device, ^O, ^T.
#pragma once

#include <kernel/dev/tty/termios.hpp>

#include <algorithm>
#include <cstddef>
#include <span>

namespace skep::kernel {

enum class TtySignal : std::uint8_t {
    None,
    Interrupt,
    Quit,
    Suspend
};

class OutputSink {
  public:
    virtual void put(std::span<const std::uint8_t>) = 0;

  protected:
    ~OutputSink() = default;
};

class LineDiscipline {
  public:
    static constexpr std::size_t kInputCapacity = 4096;  // MAX_CANON and MAX_INPUT

    // One byte from the device. Echo goes to `echo`. -> the signal that the foreground group is to
    // get.
    TtySignal input(std::uint8_t byte, OutputSink& echo);
    // Bytes of a program; those translated go to the sink.
    void output(std::span<const std::uint8_t> bytes, OutputSink& sink);

    // How much read() may take now: in canonical mode up to the end of the first line.
    bool can_read() const;
    std::size_t available() const;
    // How many more bytes input() would keep; in canonical mode a line that has not ended always
    // takes more, and loses it.
    std::size_t room() const {
        return canonical() && !complete_ ? kInputCapacity
                                         : kInputCapacity - 1 - std::min(used_, kInputCapacity - 1);
    }
    // Takes up to `to.size()` bytes. 0 with `*end_of_file`: ^D at the start of a line.
    std::size_t read(std::span<std::uint8_t> to, bool* end_of_file);

    const Termios& settings() const { return settings_; }
    void set(const Termios&);
    void flush_input();
    bool output_stopped() const { return stopped_; }
    bool canonical() const { return settings_.local & kLocalCanonical; }

  private:
    // In the ring beside the byte: where lines end.
    enum Mark : std::uint8_t {
        kPlain,
        kLineEnd,
        kEndOfFile
    };
    struct Cell {
        std::uint8_t byte;
        Mark mark;
    };
    Cell& cell(std::size_t index) { return ring_[(start_ + index) % kInputCapacity]; }
    const Cell& cell(std::size_t index) const { return ring_[(start_ + index) % kInputCapacity]; }
    void store(std::uint8_t byte, Mark mark, OutputSink& echo);
    void erase(OutputSink& echo);
    void erase_word(OutputSink& echo);
    void erase_line(OutputSink& echo);
    void rub_out(std::uint8_t byte, OutputSink& echo);
    void echo(std::uint8_t byte, OutputSink& sink);
    void put_one(std::uint8_t byte, OutputSink& sink);
    TtySignal signal_of(std::uint8_t byte) const;

    Termios settings_;
    Cell ring_[kInputCapacity];
    std::size_t start_ = 0, used_ = 0;
    std::size_t complete_ = 0;  // bytes that belong to finished lines
    bool literal_ = false;      // after ^V
    bool stopped_ = false;      // after ^S
    std::size_t column_ = 0;    // of the output
};

}  // namespace skep::kernel
