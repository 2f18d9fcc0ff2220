#include <guestdev/mc146818/mc146818_bus.hpp>

#include <skep/snapshot/v1/devices.pb.h>

#include <algorithm>

namespace skep::guestdev {

std::unique_ptr<google::protobuf::Message> Mc146818Bus::save() const {
    auto message = std::make_unique<snapshot::v1::Mc146818>();
    const Mc146818::State& state = rtc_.state();
    message->set_memory(state.memory.data(), state.memory.size());
    message->set_index(state.index);
    message->set_wall_clock_ns(state.wall_clock_ns);
    message->set_checked_ns(state.checked_ns);
    return message;
}

Status Mc146818Bus::restore(snapshot::Claims& claims) {
    auto message = SKEP_TRY(claim<snapshot::v1::Mc146818>(claims));
    Mc146818::State state;
    if (message.memory().size() != state.memory.size())
        return bad_state("memory is not 128 bytes");
    std::ranges::copy(message.memory(), state.memory.begin());
    if (message.index() > 0xff)
        return bad_state("index is above 127");
    state.index = static_cast<std::uint8_t>(message.index());
    state.wall_clock_ns = message.wall_clock_ns();
    state.checked_ns = message.checked_ns();
    if (auto reason = Mc146818::check(state))
        return bad_state(*reason);
    rtc_ = Mc146818(state);
    irq_.set(rtc_.interrupt());
    return {};
}

}  // namespace skep::guestdev
