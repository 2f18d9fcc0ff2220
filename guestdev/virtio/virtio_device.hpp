// What is particular to a kind of virtio device; the transport does the rest.
#pragma once

#include <guestdev/virtio/virtqueue.hpp>

#include <cstdint>
#include <expected>
#include <string>

namespace skep::guestdev {

inline constexpr std::uint64_t kVirtioRingIndirect = 1ull << 28, kVirtioVersion1 = 1ull << 32;

class VirtioDevice {
  public:
    virtual ~VirtioDevice() = default;
    virtual std::uint16_t type() const = 0;        // virtio 1.2, chapter 5
    virtual std::uint32_t class_code() const = 0;  // of PCI
    virtual unsigned queues() const = 0;
    virtual std::uint16_t queue_size() const { return 256; }
    virtual std::uint64_t features() const = 0;  // beside those of the transport
    // Device configuration, read by any width; byte `offset` of it.
    virtual std::uint8_t config_byte(std::uint64_t offset) const = 0;

    // Serves what the driver made available; true if anything was used. An error breaks the device
    // until the driver resets it.
    virtual std::expected<bool, std::string> process(unsigned queue_index, VirtQueue& queue,
                                                     std::uint64_t features,
                                                     const GuestMemory& memory) = 0;
};

}  // namespace skep::guestdev
