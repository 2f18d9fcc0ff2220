#include <guestdev/uart16550/uart16550_bus.hpp>

#include <skep/snapshot/v1/devices.pb.h>

namespace skep::guestdev {

std::unique_ptr<google::protobuf::Message> Uart16550Bus::save() const {
    auto message = std::make_unique<snapshot::v1::Uart16550>();
    const Uart16550::State& state = uart_.state();
    message->set_ier(state.interrupt_enable);
    message->set_fcr(state.fifo_control);
    message->set_lcr(state.line_control);
    message->set_mcr(state.modem_control);
    message->set_overrun(state.overrun);
    message->set_msr(state.modem_lines | state.modem_delta);
    message->set_scr(state.scratch);
    message->set_divisor(state.divisor);
    message->set_receive_fifo(std::string(state.receive_fifo.begin(), state.receive_fifo.end()));
    message->set_transmitted(output_);
    message->set_thre_pending(state.transmit_empty_pending);
    return message;
}

Status Uart16550Bus::restore(snapshot::Claims& claims) {
    auto message = SKEP_TRY(claim<snapshot::v1::Uart16550>(claims));
    for (auto [value, name] : {std::pair{message.ier(), "ier"},
                               {message.fcr(), "fcr"},
                               {message.lcr(), "lcr"},
                               {message.mcr(), "mcr"},
                               {message.msr(), "msr"},
                               {message.scr(), "scr"}}) {
        if (value > 0xff)
            return bad_state(std::string(name) + " is wider than 8 bits");
    }
    if (message.divisor() > 0xffff)
        return bad_state("divisor is wider than 16 bits");
    if (message.transmitted().size() > kOutputLimit)
        return bad_state("transmitted holds more than 64 KiB");
    Uart16550::State state;
    state.interrupt_enable = static_cast<std::uint8_t>(message.ier());
    state.fifo_control = static_cast<std::uint8_t>(message.fcr());
    state.line_control = static_cast<std::uint8_t>(message.lcr());
    state.modem_control = static_cast<std::uint8_t>(message.mcr());
    state.scratch = static_cast<std::uint8_t>(message.scr());
    state.divisor = static_cast<std::uint16_t>(message.divisor());
    state.overrun = message.overrun();
    state.modem_delta = message.msr() & 0x0f;
    state.modem_lines = message.msr() & 0xf0;
    state.transmit_empty_pending = message.thre_pending();
    state.receive_fifo.assign(message.receive_fifo().begin(), message.receive_fifo().end());
    if (auto reason = Uart16550::check(state))
        return bad_state(*reason);
    uart_ = Uart16550(std::move(state));
    output_ = message.transmitted();
    irq_.set(uart_.interrupt());
    return {};
}

}  // namespace skep::guestdev
