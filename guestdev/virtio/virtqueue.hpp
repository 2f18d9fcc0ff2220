// A split virtqueue (virtio 1.2, 2.7), the device's side. Rings and buffers are the guest's memory:
// every index and address is checked.
#pragma once

#include <guestdev/core/memory.hpp>

#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace skep::guestdev {

// A request: the buffers that the driver offers.
struct DescriptorChain {
    std::uint16_t head;
    std::vector<std::span<std::byte>> readable;
    std::vector<std::span<std::byte>> writable;
};

class VirtQueue {
  public:
    static constexpr std::uint16_t kNoVector = 0xffff;

    struct State {
        std::uint16_t size = 0;
        bool enabled = false;
        std::uint64_t descriptors = 0, driver_area = 0, device_area = 0;
        std::uint16_t vector = kNoVector;
        std::uint16_t next_available = 0, next_used = 0;
    };

    explicit VirtQueue(std::uint16_t max_size) : max_size_(max_size) { reset(); }
    void reset() { state = State{.size = max_size_}; }
    std::uint16_t max_size() const { return max_size_; }

    // The next request; nothing if there is none. An error: the ring is broken, in words.
    std::expected<std::optional<DescriptorChain>, std::string> pop(const GuestMemory& memory);
    // Gives the request back, `written` bytes of its writable buffers filled.
    std::expected<void, std::string> push(const GuestMemory& memory, std::uint16_t head,
                                          std::uint32_t written);
    // Whether the driver wants to hear of used buffers.
    bool wants_interrupt(const GuestMemory& memory) const;

    State state;

  private:
    std::uint16_t max_size_;
};

}  // namespace skep::guestdev
