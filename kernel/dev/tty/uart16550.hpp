// A 16550 as a terminal's device (PC16550D data sheet, table II). Received bytes come by interrupt;
// a thread hands them to the line discipline. Sending waits for the transmitter FIFO.
#pragma once

#include <kernel/dev/tty/tty.hpp>

#include <array>

namespace skep::kernel {

class Uart16550 final : public TtyDriver {
  public:
    explicit Uart16550(std::uint16_t port) : port_(port) {}
    // The line is set up already (serial_init()). `tty` gets the input.
    Result<> start(Tty& tty, std::uint32_t interrupt_line);
    std::size_t write(std::span<const std::uint8_t>) override;

  private:
    static void on_interrupt(void* self);
    static void run(void* self);
    void drain();
    std::size_t fill_fifo(std::span<const std::uint8_t>);

    const std::uint16_t port_;
    Tty* tty_ = nullptr;
    SpinLock lock_{"Uart16550"};
    WaitQueue received_;
    std::array<std::uint8_t, 1024> ring_;  // what comes when it is full is lost, as with an overrun
    std::size_t start_ = 0, used_ = 0;
};

}  // namespace skep::kernel
