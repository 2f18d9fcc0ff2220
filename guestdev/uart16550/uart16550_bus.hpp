// A 16550A at eight I/O ports, its interrupt wire, and its line as a stream of bytes.
#pragma once

#include <guestdev/core/bus.hpp>
#include <guestdev/core/device.hpp>
#include <guestdev/core/irq.hpp>
#include <guestdev/uart16550/uart16550.hpp>

#include <functional>
#include <span>
#include <string>
#include <utility>

namespace skep::guestdev {

class Uart16550Bus final : public BusHandler, public Device {
  public:
    // `output_added` is called after a byte was added to the output.
    Uart16550Bus(std::string instance, IrqLine irq, std::function<void()> output_added)
        : id_{"uart16550", std::move(instance), 1},
          irq_(std::move(irq)),
          output_added_(std::move(output_added)) {}

    // The other end of the line. Output that is not taken accumulates up to kOutputLimit; then the
    // newest is lost, as on a wire nobody listens to.
    static constexpr std::size_t kOutputLimit = 64 * 1024;
    std::string& output() { return output_; }
    std::uint64_t output_lost() const { return output_lost_; }
    // How many bytes it would take now.
    bool can_receive() const { return uart_.can_receive(); }
    void receive(std::uint8_t byte);

    std::uint64_t read(std::uint64_t offset, unsigned size) override;
    void write(std::uint64_t offset, unsigned size, std::uint64_t value) override;

    const DeviceId& id() const override { return id_; }
    std::unique_ptr<google::protobuf::Message> save() const override;
    Status restore(snapshot::Claims& claims) override;

  private:
    DeviceId id_;
    IrqLine irq_;
    std::function<void()> output_added_;
    Uart16550 uart_;
    std::string output_;
    std::uint64_t output_lost_ = 0;
};

}  // namespace skep::guestdev
