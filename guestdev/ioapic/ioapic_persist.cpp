#include <guestdev/ioapic/ioapic_bus.hpp>

#include <skep/snapshot/v1/devices.pb.h>

#include <algorithm>

namespace skep::guestdev {

std::unique_ptr<google::protobuf::Message> IoApicBus::save() const {
    auto message = std::make_unique<snapshot::v1::IoApic>();
    message->set_id(ioapic_.state.id);
    message->set_select(ioapic_.state.select);
    for (std::uint64_t entry : ioapic_.state.redirection)
        message->add_redirection(entry);
    message->set_lines(ioapic_.state.lines);
    return message;
}

Status IoApicBus::restore(snapshot::Claims& claims) {
    auto message = SKEP_TRY(claim<snapshot::v1::IoApic>(claims));
    if (message.redirection_size() != IoApic::kInputs)
        return bad_state("not 24 redirection entries");
    if (message.id() > 0xff || message.select() > 0xff)
        return bad_state("a register is wider than 8 bits");
    IoApic::State state;
    state.id = static_cast<std::uint8_t>(message.id());
    state.select = static_cast<std::uint8_t>(message.select());
    std::ranges::copy(message.redirection(), state.redirection.begin());
    state.lines = message.lines();
    if (auto reason = IoApic::check(state))
        return bad_state(*reason);
    ioapic_.state = state;
    return {};
}

}  // namespace skep::guestdev
