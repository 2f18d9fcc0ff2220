#include <guestdev/acpi_pm/acpi_pm_bus.hpp>

#include <skep/snapshot/v1/devices.pb.h>

namespace skep::guestdev {

std::unique_ptr<google::protobuf::Message> AcpiPmBus::save() const {
    auto message = std::make_unique<snapshot::v1::AcpiPm>();
    message->set_pm1_status(pm_.state.status);
    message->set_pm1_enable(pm_.state.enable);
    message->set_pm1_control(pm_.state.control);
    message->set_timer_checked_tick(pm_.state.timer_checked_tick);
    message->set_reset_control(pm_.state.reset_control);
    message->set_port_92(pm_.state.port_92);
    return message;
}

Status AcpiPmBus::restore(snapshot::Claims& claims) {
    auto message = SKEP_TRY(claim<snapshot::v1::AcpiPm>(claims));
    if ((message.pm1_status() | message.pm1_enable() | message.pm1_control()) > 0xffff)
        return bad_state("a PM1 register is wider than 16 bits");
    if ((message.reset_control() | message.port_92()) > 0xff)
        return bad_state("a reset register is wider than 8 bits");
    AcpiPm::State state;
    state.status = static_cast<std::uint16_t>(message.pm1_status());
    state.enable = static_cast<std::uint16_t>(message.pm1_enable());
    state.control = static_cast<std::uint16_t>(message.pm1_control());
    state.timer_checked_tick = message.timer_checked_tick();
    state.reset_control = static_cast<std::uint8_t>(message.reset_control());
    state.port_92 = static_cast<std::uint8_t>(message.port_92());
    if (auto reason = AcpiPm::check(state))
        return bad_state(*reason);
    pm_.state = state;
    sci_.set(pm_.interrupt());
    return {};
}

}  // namespace skep::guestdev
