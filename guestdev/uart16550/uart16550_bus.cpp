#include <guestdev/uart16550/uart16550_bus.hpp>

namespace skep::guestdev {

void Uart16550Bus::receive(std::uint8_t byte) {
    uart_.receive(byte);
    irq_.set(uart_.interrupt());
}

std::uint64_t Uart16550Bus::read(std::uint64_t offset, unsigned /*size*/) {
    std::uint8_t value = uart_.read(static_cast<unsigned>(offset));
    irq_.set(uart_.interrupt());
    return value;
}

void Uart16550Bus::write(std::uint64_t offset, unsigned /*size*/, std::uint64_t value) {
    // A sent byte retracts the transmitter-empty interrupt and raises it again: an edge.
    auto sent = uart_.write(static_cast<unsigned>(offset), static_cast<std::uint8_t>(value));
    if (sent && uart_.interrupt())
        irq_.pulse();
    else
        irq_.set(uart_.interrupt());
    if (!sent)
        return;
    if (output_.size() >= kOutputLimit) {
        output_lost_++;
        return;
    }
    output_.push_back(static_cast<char>(*sent));
    output_added_();
}

}  // namespace skep::guestdev
