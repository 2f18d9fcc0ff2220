// The paravirtual clock as a device of the board: MSRs instead of a bus.
#pragma once

#include <guestdev/core/device.hpp>
#include <guestdev/pvclock/pvclock.hpp>

namespace skep::guestdev {

class PvClockDevice final : public Device {
  public:
    PvClockDevice(unsigned vcpus, std::int64_t wall_clock_ns, std::uint64_t tsc_frequency)
        : clock(vcpus, wall_clock_ns, tsc_frequency) {}

    const DeviceId& id() const override { return id_; }
    std::unique_ptr<google::protobuf::Message> save() const override;
    Status restore(snapshot::Claims& claims) override;

    PvClock clock;

  private:
    DeviceId id_{"pvclock", "kvmclock", 1};
};

}  // namespace skep::guestdev
