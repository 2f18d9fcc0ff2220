#include <kernel/dev/virtio/queue.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel::virtio {

namespace {

constexpr std::uint16_t kDescriptorWrite = 2;       // VIRTQ_DESC_F_WRITE
constexpr std::uint16_t kAvailableNoInterrupt = 1;  // VIRTQ_AVAIL_F_NO_INTERRUPT
constexpr std::uint16_t kUsedNoNotify = 1;          // VIRTQ_USED_F_NO_NOTIFY

}  // namespace

Result<> VirtQueue::create(std::uint16_t index, std::uint16_t most,
                           volatile std::uint16_t* notify) {
    static_assert(sizeof(Descriptor) == 16 && sizeof(UsedElement) == 8);
    static_assert(sizeof(DriverArea) <= kDeviceOffset - kDriverOffset);
    static_assert(kDeviceOffset + sizeof(DeviceArea) <= kPageSize << kMemoryOrder);

    if (most & (most - 1))
        return fail(Errno::NxIo);
    memory_ = SKEP_TRY(allocate_frames(kMemoryOrder));
    auto* bytes = static_cast<std::byte*>(direct_map(memory_));
    std::memset(bytes, 0, kPageSize << kMemoryOrder);
    descriptors_ = reinterpret_cast<Descriptor*>(bytes);
    driver_ = reinterpret_cast<DriverArea*>(bytes + kDriverOffset);
    device_ = reinterpret_cast<DeviceArea*>(bytes + kDeviceOffset);
    index_ = index;
    size_ = std::min(most, kMaxSize);
    notify_ = notify;
    return {};
}

void VirtQueue::set_buffer(std::uint16_t id, PhysAddr address, std::uint32_t length,
                           Direction direction) {
    descriptors_[id] = {address.value, length,
                        direction == Direction::FromDevice ? kDescriptorWrite : std::uint16_t{0},
                        0};
}

void VirtQueue::publish(std::uint16_t id) {
    driver_->ring[published_ & (size_ - 1)] = id;
    ++published_;
}

void VirtQueue::notify() {
    if (driver_->index.load(std::memory_order_relaxed) == published_)
        return;
    driver_->index.store(published_, std::memory_order_release);
    // The device may be about to clear its flag: the index must be out before the flag is read
    // (2.7.13.4).
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (!(device_->flags & kUsedNoNotify))
        *notify_ = index_;
}

std::optional<VirtQueue::Used> VirtQueue::take_used() {
    if (device_->index.load(std::memory_order_acquire) == taken_)
        return std::nullopt;
    const UsedElement element = device_->ring[taken_ & (size_ - 1)];
    ++taken_;
    // A device that names a buffer which does not exist gets its first one back: no memory outside
    // the queue's buffers is ever touched.
    const std::uint32_t id = element.id < size_ ? element.id : 0;
    return Used{static_cast<std::uint16_t>(id), element.length};
}

void VirtQueue::disable_interrupts() {
    driver_->flags = kAvailableNoInterrupt;
}

bool VirtQueue::enable_interrupts() {
    driver_->flags = 0;
    std::atomic_thread_fence(std::memory_order_seq_cst);
    return device_->index.load(std::memory_order_acquire) != taken_;
}

}  // namespace skep::kernel::virtio
