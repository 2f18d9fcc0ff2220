#include <guestdev/i8254/i8254_bus.hpp>

#include <skep/snapshot/v1/devices.pb.h>

#include <algorithm>

namespace skep::guestdev {

std::unique_ptr<google::protobuf::Message> I8254Bus::save() const {
    auto message = std::make_unique<snapshot::v1::I8254>();
    message->set_speaker_data(pit_.speaker_data);
    for (const I8254Channel& channel : pit_.channels) {
        const I8254Channel::State& state = channel.state;
        auto* saved = message->add_channels();
        saved->set_mode(state.mode);
        saved->set_bcd(state.bcd);
        saved->set_access(state.access);
        saved->set_reload(state.reload);
        saved->set_counting(state.counting);
        saved->set_start_tick(state.start_tick);
        saved->set_gate(state.gate);
        saved->set_write_high_next(state.write_high_next);
        saved->set_write_low(state.write_low);
        saved->set_read_high_next(state.read_high_next);
        for (std::uint8_t byte : state.latched)
            saved->add_latched(byte);
        saved->set_null_count(state.null_count);
        saved->set_edges_until_tick(state.edges_until_tick);
    }
    return message;
}

Status I8254Bus::restore(snapshot::Claims& claims) {
    auto message = SKEP_TRY(claim<snapshot::v1::I8254>(claims));
    if (message.channels_size() != I8254::kChannels)
        return bad_state("not three channels");
    I8254 pit;
    pit.speaker_data = message.speaker_data();
    for (unsigned i = 0; i < I8254::kChannels; i++) {
        const auto& saved = message.channels(static_cast<int>(i));
        std::string name = "channel " + std::to_string(i) + ": ";
        if (saved.mode() > 5 || saved.access() > 3 || saved.write_low() > 0xff ||
            std::ranges::any_of(saved.latched(), [](auto byte) { return byte > 0xff; }))
            return bad_state(name + "a register is out of range");
        I8254Channel::State state;
        state.mode = static_cast<std::uint8_t>(saved.mode());
        state.bcd = saved.bcd();
        state.access = static_cast<std::uint8_t>(saved.access());
        state.reload = saved.reload();
        state.counting = saved.counting();
        state.start_tick = saved.start_tick();
        state.gate = saved.gate();
        state.write_high_next = saved.write_high_next();
        state.write_low = static_cast<std::uint8_t>(saved.write_low());
        state.read_high_next = saved.read_high_next();
        state.latched.assign(saved.latched().begin(), saved.latched().end());
        state.null_count = saved.null_count();
        state.edges_until_tick = saved.edges_until_tick();
        if (auto reason = I8254Channel::check(state))
            return bad_state(name + *reason);
        pit.channels[i].state = std::move(state);
    }
    pit_ = std::move(pit);
    irq_.set(pit_.channels[0].output(time_.now()));
    return {};
}

}  // namespace skep::guestdev
