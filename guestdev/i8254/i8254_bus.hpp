// The 8254 at ports 0x40..0x43 and 0x61; channel 0 drives an interrupt wire.
#pragma once

#include <guestdev/core/bus.hpp>
#include <guestdev/core/device.hpp>
#include <guestdev/core/irq.hpp>
#include <guestdev/core/time.hpp>
#include <guestdev/i8254/i8254.hpp>

namespace skep::guestdev {

class I8254Bus final : public Device, public Timed {
  public:
    static constexpr std::uint16_t kPort = 0x40, kSystemControlPort = 0x61;

    I8254Bus(const TimeSource& time, IrqLine irq) : time_(time), irq_(std::move(irq)) {}
    I8254Bus(const I8254Bus&) = delete;
    I8254Bus& operator=(const I8254Bus&) = delete;

    [[nodiscard]] bool attach(Bus& ports) {
        return ports.claim(kPort, 4, timer_) && ports.claim(kSystemControlPort, 1, system_control_);
    }

    void advance(GuestTime now) override;
    GuestTime next_event() const override { return pit_.channels[0].next_rising_edge(); }

    const DeviceId& id() const override { return id_; }
    std::unique_ptr<google::protobuf::Message> save() const override;
    Status restore(snapshot::Claims& claims) override;

  private:
    class TimerPorts final : public BusHandler {
      public:
        explicit TimerPorts(I8254Bus& owner) : owner_(owner) {}
        std::uint64_t read(std::uint64_t offset, unsigned) override {
            return owner_.pit_.read(static_cast<unsigned>(offset), owner_.time_.now());
        }
        void write(std::uint64_t offset, unsigned, std::uint64_t value) override {
            GuestTime now = owner_.time_.now();
            owner_.advance(now);
            owner_.pit_.write(static_cast<unsigned>(offset), static_cast<std::uint8_t>(value), now);
            owner_.irq_.set(owner_.pit_.channels[0].output(now));
        }

      private:
        I8254Bus& owner_;
    };
    class SystemControlPort final : public BusHandler {
      public:
        explicit SystemControlPort(I8254Bus& owner) : owner_(owner) {}
        std::uint64_t read(std::uint64_t, unsigned) override {
            return owner_.pit_.read_port_61(owner_.time_.now());
        }
        void write(std::uint64_t, unsigned, std::uint64_t value) override {
            owner_.pit_.write_port_61(static_cast<std::uint8_t>(value), owner_.time_.now());
        }

      private:
        I8254Bus& owner_;
    };

    DeviceId id_{"i8254", "pit", 1};
    const TimeSource& time_;
    IrqLine irq_;
    I8254 pit_;
    TimerPorts timer_{*this};
    SystemControlPort system_control_{*this};
};

}  // namespace skep::guestdev
