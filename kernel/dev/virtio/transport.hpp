// virtio over PCI, modern interface only (Virtual I/O Device 1.2, 4.1). Transitional devices have
// it too.
#pragma once

#include <kernel/dev/pci/device.hpp>

#include <cstddef>

namespace skep::kernel::virtio {

class VirtQueue;

// Device status (2.1).
enum Status : std::uint8_t {
    kAcknowledge = 1,
    kDriver = 2,
    kDriverOk = 4,
    kFeaturesOk = 8,
    kFailed = 128,
};

// Feature bits of every device (6).
inline constexpr std::uint64_t kFeatureVersion1 = 1ull << 32;

inline constexpr std::uint16_t kNoVector = 0xffff;

class Transport {
  public:
    explicit Transport(pci::Device& device) : device_(device) {}

    // Finds the structures, resets the device, and agrees on features: `required` must be offered
    // (NxIo), of `wanted` what is. Ends with FEATURES_OK.
    Result<> initialize(std::uint64_t required, std::uint64_t wanted);
    std::uint64_t features() const { return features_; }
    // Between initialize() and start(). The queue's interrupts come by MSI-X vector `vector` or
    // kNoVector.
    Result<> set_up_queue(std::uint16_t index, VirtQueue& queue, std::uint16_t vector);
    void start();    // DRIVER_OK
    void give_up();  // FAILED

    // By MSI-X vector `vector`, or by the line when the device has no MSI-X.
    Result<> attach_interrupt(std::uint16_t vector, InterruptHandler handler, void* context);
    // Of the line only: whether the device asked for it; acknowledges.
    bool take_line_interrupt() const { return line_interrupts_ && *isr_ != 0; }
    bool uses_line() const { return line_interrupts_; }

    std::uint8_t config8(std::size_t offset) const { return config_[offset]; }
    std::size_t config_size() const { return config_size_; }

  private:
    struct CommonConfiguration;
    Result<> find_structures();

    pci::Device& device_;
    volatile CommonConfiguration* common_ = nullptr;
    volatile std::uint8_t* isr_ = nullptr;
    volatile std::uint8_t* config_ = nullptr;
    std::size_t config_size_ = 0;
    volatile std::uint8_t* notify_ = nullptr;
    std::size_t notify_size_ = 0;
    std::uint32_t notify_multiplier_ = 0;
    std::uint64_t features_ = 0;
    bool line_interrupts_ = false;
};

}  // namespace skep::kernel::virtio
