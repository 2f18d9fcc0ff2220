// The PCI host bridge: bus 0 behind configuration mechanism 1 (PCI Local Bus 3.0, 3.2.2.3.2),
// shaped like the i440FX. One function per slot. It has no registers of its own beside the address.
#pragma once

#include <guestdev/core/bus.hpp>
#include <guestdev/core/device.hpp>
#include <guestdev/pci/pci_config.hpp>

#include <array>
#include <cstdint>
#include <functional>

namespace skep::guestdev {

class PciDevice {
  public:
    virtual ~PciDevice() = default;
    virtual std::uint32_t config_read(unsigned offset, unsigned size) = 0;
    virtual void config_write(unsigned offset, unsigned size, std::uint32_t value) = 0;
};

class PciHost final : public BusHandler, public Device {
  public:
    static constexpr std::uint16_t kPort = 0xcf8;
    static constexpr unsigned kSlots = 32;

    // Byte accesses to port 0xcf9, the reset control register, are handed on.
    struct ResetControl {
        std::function<std::uint8_t()> read;
        std::function<void(std::uint8_t)> write;
    };
    explicit PciHost(ResetControl reset_control) : reset_control_(std::move(reset_control)) {}

    [[nodiscard]] bool attach(Bus& ports) { return ports.claim(kPort, 8, *this); }
    // False if the slot does not exist or is taken.
    [[nodiscard]] bool plug(unsigned slot, PciDevice& device);

    bool accepts(unsigned size) const override { return size <= 4; }
    std::uint64_t read(std::uint64_t offset, unsigned size) override;
    void write(std::uint64_t offset, unsigned size, std::uint64_t value) override;

    const DeviceId& id() const override { return id_; }
    std::unique_ptr<google::protobuf::Message> save() const override;
    Status restore(snapshot::Claims& claims) override;

  private:
    PciDevice* selected() const;

    DeviceId id_{"pci-host", "pci0", 1};
    ResetControl reset_control_;
    std::uint32_t address_ = 0;
    std::array<PciDevice*, kSlots> slots_{};
};

// The host bridge's own function, 00:00.0.
class PciBridge final : public PciDevice, public Device {
  public:
    PciBridge();
    std::uint32_t config_read(unsigned offset, unsigned size) override {
        return config_.read(offset, size);
    }
    void config_write(unsigned offset, unsigned size, std::uint32_t value) override {
        config_.write(offset, size, value);
    }
    const DeviceId& id() const override { return id_; }
    std::unique_ptr<google::protobuf::Message> save() const override;
    Status restore(snapshot::Claims& claims) override;

  private:
    DeviceId id_{"pci-bridge", "00:00.0", 1};
    PciConfig config_;
};

}  // namespace skep::guestdev
