// A virtio block device (virtio 1.2, 5.2): one queue; read, write, flush, get-id. Not offered:
// discard, write zeroes, several queues, topology.
#pragma once

#include <guestdev/virtio/virtio_device.hpp>
#include <guestdev/virtio_blk/block_backend.hpp>

#include <string>

namespace skep::guestdev {

class VirtioBlk final : public VirtioDevice {
  public:
    static constexpr unsigned kSerialSize = 20;

    // `serial`: at most 20 bytes count.
    VirtioBlk(BlockBackend& backend, std::string serial, bool read_only)
        : backend_(backend), serial_(std::move(serial)), read_only_(read_only) {
        serial_.resize(kSerialSize);
    }

    std::uint16_t type() const override { return 2; }
    std::uint32_t class_code() const override { return 0x018000; }
    unsigned queues() const override { return 1; }
    std::uint64_t features() const override;
    std::uint8_t config_byte(std::uint64_t offset) const override;
    std::expected<bool, std::string> process(unsigned queue_index, VirtQueue& queue,
                                             std::uint64_t features,
                                             const GuestMemory& memory) override;

    const std::string& serial() const { return serial_; }

  private:
    // Bytes written to the chain's writable buffers, the status apart.
    std::uint32_t serve(DescriptorChain& chain, std::uint8_t& status);

    BlockBackend& backend_;
    std::string serial_;
    bool read_only_;
};

}  // namespace skep::guestdev
