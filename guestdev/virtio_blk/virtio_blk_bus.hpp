// A virtio disk in a PCI slot.
#pragma once

#include <guestdev/core/device.hpp>
#include <guestdev/virtio/virtio_pci.hpp>
#include <guestdev/virtio_blk/virtio_blk.hpp>

namespace skep::guestdev {

class VirtioBlkBus final : public Device {
  public:
    VirtioBlkBus(std::string instance, BlockBackend& backend, std::string serial, bool read_only,
                 VirtioPciWiring wiring)
        : id_{"virtio-blk", std::move(instance), 1},
          blk_(backend, std::move(serial), read_only),
          pci_(blk_, std::move(wiring)) {}

    VirtioPci& pci() { return pci_; }

    const DeviceId& id() const override { return id_; }
    std::unique_ptr<google::protobuf::Message> save() const override;
    Status restore(snapshot::Claims& claims) override;

  private:
    DeviceId id_;
    VirtioBlk blk_;
    VirtioPci pci_;
};

}  // namespace skep::guestdev
