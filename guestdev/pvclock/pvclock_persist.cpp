#include <guestdev/pvclock/pvclock_device.hpp>

#include <skep/snapshot/v1/devices.pb.h>

namespace skep::guestdev {

std::unique_ptr<google::protobuf::Message> PvClockDevice::save() const {
    auto message = std::make_unique<snapshot::v1::PvClock>();
    for (std::uint64_t value : clock.state.system_time_msr)
        message->add_system_time_msr(value);
    message->set_wall_clock_msr(clock.state.wall_clock_msr);
    message->set_wall_clock_ns(clock.state.wall_clock_ns);
    return message;
}

Status PvClockDevice::restore(snapshot::Claims& claims) {
    auto message = SKEP_TRY(claim<snapshot::v1::PvClock>(claims));
    if (static_cast<std::size_t>(message.system_time_msr_size()) !=
        clock.state.system_time_msr.size())
        return bad_state("not one system time MSR per vCPU");
    clock.state.system_time_msr.assign(message.system_time_msr().begin(),
                                       message.system_time_msr().end());
    clock.state.wall_clock_msr = message.wall_clock_msr();
    clock.state.wall_clock_ns = message.wall_clock_ns();
    return {};
}

}  // namespace skep::guestdev
