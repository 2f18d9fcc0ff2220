// The ACPI registers at port 0x600, the system control interrupt, and the reset ports 0x64 and
// 0x92. Port 0xcf9 lies inside the PCI configuration ports, which hand its writes on.
#pragma once

#include <guestdev/acpi_pm/acpi_pm.hpp>
#include <guestdev/core/bus.hpp>
#include <guestdev/core/device.hpp>
#include <guestdev/core/irq.hpp>
#include <guestdev/core/time.hpp>

#include <functional>

namespace skep::guestdev {

class AcpiPmBus final : public BusHandler, public Device, public Timed {
  public:
    static constexpr std::uint16_t kPort = 0x600, kPort64 = 0x64, kPort92 = 0x92;
    static constexpr unsigned kSciInput = 9;

    using PowerSink = std::function<void(PowerRequest)>;
    AcpiPmBus(const TimeSource& time, IrqLine sci, PowerSink power)
        : time_(time), sci_(std::move(sci)), power_(std::move(power)) {}
    AcpiPmBus(const AcpiPmBus&) = delete;
    AcpiPmBus& operator=(const AcpiPmBus&) = delete;

    [[nodiscard]] bool attach(Bus& ports) {
        return ports.claim(kPort, AcpiPm::kSize, *this) && ports.claim(kPort64, 1, port_64_) &&
               ports.claim(kPort92, 1, port_92_);
    }

    void press_power_button();
    std::uint8_t read_reset_control() const { return pm_.state.reset_control; }
    void write_reset_control(std::uint8_t value) { request(pm_.write_reset_control(value)); }

    bool accepts(unsigned size) const override { return size <= 4; }
    std::uint64_t read(std::uint64_t offset, unsigned size) override;
    void write(std::uint64_t offset, unsigned size, std::uint64_t value) override;
    void advance(GuestTime now) override;
    GuestTime next_event() const override { return pm_.next_event(); }

    const DeviceId& id() const override { return id_; }
    std::unique_ptr<google::protobuf::Message> save() const override;
    Status restore(snapshot::Claims& claims) override;

  private:
    class Port64 final : public BusHandler {
      public:
        explicit Port64(AcpiPmBus& owner) : owner_(owner) {}
        // Nothing to read, input buffer empty: what a driver that probes for a keyboard waits for.
        std::uint64_t read(std::uint64_t, unsigned) override { return 0; }
        void write(std::uint64_t, unsigned, std::uint64_t value) override {
            owner_.request(AcpiPm::write_port_64(static_cast<std::uint8_t>(value)));
        }

      private:
        AcpiPmBus& owner_;
    };
    class Port92 final : public BusHandler {
      public:
        explicit Port92(AcpiPmBus& owner) : owner_(owner) {}
        std::uint64_t read(std::uint64_t, unsigned) override { return owner_.pm_.state.port_92; }
        void write(std::uint64_t, unsigned, std::uint64_t value) override {
            owner_.request(owner_.pm_.write_port_92(static_cast<std::uint8_t>(value)));
        }

      private:
        AcpiPmBus& owner_;
    };

    std::uint32_t read_word(unsigned offset);
    void request(PowerRequest what) {
        if (what != PowerRequest::None)
            power_(what);
    }

    DeviceId id_{"acpi-pm", "pm", 1};
    const TimeSource& time_;
    IrqLine sci_;
    PowerSink power_;
    AcpiPm pm_;
    Port64 port_64_{*this};
    Port92 port_92_{*this};
};

}  // namespace skep::guestdev
