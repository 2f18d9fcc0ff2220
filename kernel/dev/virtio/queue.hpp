// A split virtqueue (Virtual I/O Device 1.2, 2.7) whose buffers are single descriptors, descriptor
// i always naming buffer i: what a network or console queue needs. The caller serialises.
#pragma once

#include <kernel/base/errno.hpp>
#include <kernel/mm/physical.hpp>

#include <atomic>
#include <optional>

namespace skep::kernel::virtio {

class VirtQueue {
  public:
    static constexpr std::uint16_t kMaxSize = 256;

    VirtQueue() = default;
    VirtQueue(const VirtQueue&) = delete;
    VirtQueue& operator=(const VirtQueue&) = delete;

    // Called by Transport::set_up_queue. `most` = the device's limit, a power of two.
    Result<> create(std::uint16_t index, std::uint16_t most, volatile std::uint16_t* notify);
    std::uint16_t size() const { return size_; }
    PhysAddr descriptor_area() const { return memory_; }
    PhysAddr driver_area() const { return memory_ + kDriverOffset; }
    PhysAddr device_area() const { return memory_ + kDeviceOffset; }

    enum class Direction : std::uint8_t {
        ToDevice,
        FromDevice
    };
    void set_buffer(std::uint16_t id, PhysAddr address, std::uint32_t length, Direction direction);
    void publish(std::uint16_t id);  // the device sees it after notify()
    void notify();  // makes published buffers available, tells the device if it asked
    struct Used {
        std::uint16_t id;
        std::uint32_t length;  // bytes that the device wrote
    };
    std::optional<Used> take_used();

    void disable_interrupts();
    // Returns whether used buffers wait already, so that no interrupt may come for them.
    bool enable_interrupts();

  private:
    struct Descriptor {
        std::uint64_t address;
        std::uint32_t length;
        std::uint16_t flags;
        std::uint16_t next;
    };
    struct DriverArea {
        std::uint16_t flags;
        std::atomic<std::uint16_t> index;
        std::uint16_t ring[kMaxSize];
    };
    struct UsedElement {
        std::uint32_t id;
        std::uint32_t length;
    };
    struct DeviceArea {
        volatile std::uint16_t flags;
        std::atomic<std::uint16_t> index;
        UsedElement ring[kMaxSize];
    };
    static constexpr std::size_t kDriverOffset = sizeof(Descriptor) * kMaxSize;
    static constexpr std::size_t kDeviceOffset = kDriverOffset + 1024;
    static constexpr unsigned kMemoryOrder = 1;

    PhysAddr memory_;
    Descriptor* descriptors_ = nullptr;
    DriverArea* driver_ = nullptr;
    DeviceArea* device_ = nullptr;
    volatile std::uint16_t* notify_ = nullptr;
    std::uint16_t index_ = 0;
    std::uint16_t size_ = 0;
    std::uint16_t published_ = 0;  // the driver area's next index
    std::uint16_t taken_ = 0;      // used elements that were taken
};

}  // namespace skep::kernel::virtio
