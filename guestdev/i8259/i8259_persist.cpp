#include <guestdev/i8259/i8259_bus.hpp>

#include <skep/snapshot/v1/devices.pb.h>

namespace skep::guestdev {
namespace {

using Message = snapshot::v1::I8259::Chip;

void save_chip(const I8259Chip::State& state, Message& message) {
    message.set_irr(state.irr);
    message.set_imr(state.imr);
    message.set_isr(state.isr);
    message.set_lines(state.lines);
    message.set_level(state.level);
    message.set_vector_base(state.vector_base);
    message.set_icw1(state.icw1);
    message.set_icw3(state.icw3);
    message.set_icw4(state.icw4);
    message.set_next_icw(state.next_icw);
    message.set_lowest_priority(state.lowest_priority);
    message.set_read_isr(state.read_isr);
    message.set_poll(state.poll);
    message.set_special_mask(state.special_mask);
    message.set_rotate_on_auto_eoi(state.rotate_on_auto_eoi);
}

std::expected<I8259Chip::State, std::string> load_chip(const Message& message) {
    I8259Chip::State state;
    for (auto [value, target] : {std::pair{message.irr(), &state.irr},
                                 {message.imr(), &state.imr},
                                 {message.isr(), &state.isr},
                                 {message.lines(), &state.lines},
                                 {message.level(), &state.level},
                                 {message.vector_base(), &state.vector_base},
                                 {message.icw1(), &state.icw1},
                                 {message.icw3(), &state.icw3},
                                 {message.icw4(), &state.icw4},
                                 {message.next_icw(), &state.next_icw},
                                 {message.lowest_priority(), &state.lowest_priority}}) {
        if (value > 0xff)
            return std::unexpected("a register is wider than 8 bits");
        *target = static_cast<std::uint8_t>(value);
    }
    state.read_isr = message.read_isr();
    state.poll = message.poll();
    state.special_mask = message.special_mask();
    state.rotate_on_auto_eoi = message.rotate_on_auto_eoi();
    if (auto reason = I8259Chip::check(state))
        return std::unexpected(*reason);
    return state;
}

}  // namespace

std::unique_ptr<google::protobuf::Message> I8259Bus::save() const {
    auto message = std::make_unique<snapshot::v1::I8259>();
    save_chip(pic_.master(), *message->mutable_master());
    save_chip(pic_.slave(), *message->mutable_slave());
    return message;
}

Status I8259Bus::restore(snapshot::Claims& claims) {
    auto message = SKEP_TRY(claim<snapshot::v1::I8259>(claims));
    if (!message.has_master() || !message.has_slave())
        return bad_state("a chip is missing");
    auto master = load_chip(message.master());
    if (!master)
        return bad_state("master: " + master.error());
    auto slave = load_chip(message.slave());
    if (!slave)
        return bad_state("slave: " + slave.error());
    pic_.restore(*master, *slave);
    update();
    return {};
}

}  // namespace skep::guestdev
