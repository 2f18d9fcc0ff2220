// The virtio-over-PCI transport (virtio 1.2, 4.1), modern only: four register areas and the MSI-X
// table in BAR 0; MSI-X or INTx.
//
// Requests are served in the access that announces them. Not offered: queue reset, notification
// data, the legacy interface.
#pragma once

#include <guestdev/core/bus.hpp>
#include <guestdev/core/irq.hpp>
#include <guestdev/core/memory.hpp>
#include <guestdev/pci/pci_config.hpp>
#include <guestdev/pci/pci_host.hpp>
#include <guestdev/virtio/virtio_device.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace skep::snapshot::v1 {
class VirtioPci;
}

namespace skep::guestdev {

struct VirtioPciWiring {
    Bus& memory_bus;
    const GuestMemory& memory;
    MsiSink msi;
    IrqLine intx;
    std::uint8_t interrupt_line;  // for the configuration space
    std::uint32_t bar_address;
};

class VirtioPci final : public PciDevice, public BusHandler {
  public:
    static constexpr std::uint32_t kBarSize = 0x8000;

    VirtioPci(VirtioDevice& device, VirtioPciWiring wiring);
    VirtioPci(const VirtioPci&) = delete;
    VirtioPci& operator=(const VirtioPci&) = delete;

    std::uint32_t config_read(unsigned offset, unsigned size) override;
    void config_write(unsigned offset, unsigned size, std::uint32_t value) override;

    // BAR 0.
    bool accepts(unsigned /*size*/) const override { return true; }
    std::uint64_t read(std::uint64_t offset, unsigned size) override;
    void write(std::uint64_t offset, unsigned size, std::uint64_t value) override;

    void save(snapshot::v1::VirtioPci& message) const;
    std::optional<std::string> restore(const snapshot::v1::VirtioPci& message);

    // What the driver did wrong, if the device needs a reset.
    const std::string& broken() const { return broken_; }

  private:
    struct MsixEntry {
        std::uint64_t address = 0;
        std::uint32_t data = 0;
        std::uint32_t control = 1;  // bit 0: masked
    };

    std::uint64_t offered_features() const;
    bool msix_enabled() const;
    bool msix_masked(unsigned vector) const;
    void raise(std::uint16_t vector, std::uint8_t isr_bit);
    void deliver_pending();
    void update_intx();
    void update_mapping();
    void notify(unsigned queue_index);
    void break_device(std::string reason);
    void reset();

    std::uint64_t read_common(std::uint64_t offset, unsigned size) const;
    void write_common(std::uint64_t offset, unsigned size, std::uint64_t value);
    void write_status(std::uint8_t value);
    void write_queue(std::uint64_t offset, unsigned size, std::uint64_t value);
    std::uint64_t read_msix(std::uint64_t offset, unsigned size) const;
    void write_msix(std::uint64_t offset, unsigned size, std::uint64_t value);
    bool config_window(std::uint32_t& offset, unsigned& size) const;

    VirtioDevice& device_;
    VirtioPciWiring wiring_;
    PciConfig config_;
    unsigned msix_capability_, window_capability_;

    std::uint64_t driver_features_ = 0;
    std::uint32_t device_feature_select_ = 0, driver_feature_select_ = 0;
    std::uint8_t status_ = 0, isr_ = 0, config_generation_ = 0;
    std::uint16_t config_vector_ = VirtQueue::kNoVector, queue_select_ = 0;
    std::vector<VirtQueue> queues_;
    std::vector<MsixEntry> msix_;
    std::uint64_t msix_pending_ = 0;
    std::optional<std::uint32_t> mapped_;
    std::string broken_;
};

}  // namespace skep::guestdev
