// The real-time clock at ports 0x70 and 0x71.
#pragma once

#include <guestdev/core/bus.hpp>
#include <guestdev/core/device.hpp>
#include <guestdev/core/irq.hpp>
#include <guestdev/core/time.hpp>
#include <guestdev/mc146818/mc146818.hpp>

namespace skep::guestdev {

class Mc146818Bus final : public BusHandler, public Device, public Timed {
  public:
    static constexpr std::uint16_t kPort = 0x70;

    // `wall_clock_ns`: Unix time at guest time 0.
    Mc146818Bus(const TimeSource& time, IrqLine irq, std::int64_t wall_clock_ns)
        : time_(time), irq_(std::move(irq)), rtc_(wall_clock_ns) {}

    [[nodiscard]] bool attach(Bus& ports) { return ports.claim(kPort, 2, *this); }

    std::uint64_t read(std::uint64_t offset, unsigned /*size*/) override {
        std::uint8_t value = offset == 0 ? 0xff : rtc_.read_data(time_.now());
        irq_.set(rtc_.interrupt());
        return value;
    }
    void write(std::uint64_t offset, unsigned /*size*/, std::uint64_t value) override {
        if (offset == 0)
            rtc_.write_index(static_cast<std::uint8_t>(value));
        else
            rtc_.write_data(static_cast<std::uint8_t>(value), time_.now());
        irq_.set(rtc_.interrupt());
    }
    void advance(GuestTime now) override {
        rtc_.advance(now);
        irq_.set(rtc_.interrupt());
    }
    GuestTime next_event() const override { return rtc_.next_event(); }

    const DeviceId& id() const override { return id_; }
    std::unique_ptr<google::protobuf::Message> save() const override;
    Status restore(snapshot::Claims& claims) override;

  private:
    DeviceId id_{"mc146818", "rtc", 1};
    const TimeSource& time_;
    IrqLine irq_;
    Mc146818 rtc_;
};

}  // namespace skep::guestdev
