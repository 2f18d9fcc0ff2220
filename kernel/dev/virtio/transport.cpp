#include <kernel/dev/virtio/transport.hpp>

#include <kernel/dev/virtio/queue.hpp>

namespace skep::kernel::virtio {

// virtio_pci_common_cfg (4.1.4.3).
struct Transport::CommonConfiguration {
    std::uint32_t device_feature_select;
    std::uint32_t device_feature;
    std::uint32_t driver_feature_select;
    std::uint32_t driver_feature;
    std::uint16_t config_msix_vector;
    std::uint16_t num_queues;
    std::uint8_t device_status;
    std::uint8_t config_generation;
    std::uint16_t queue_select;
    std::uint16_t queue_size;
    std::uint16_t queue_msix_vector;
    std::uint16_t queue_enable;
    std::uint16_t queue_notify_off;
    // 64-bit fields are written as two 32-bit halves (4.1.3.1).
    std::uint32_t queue_desc[2];
    std::uint32_t queue_driver[2];
    std::uint32_t queue_device[2];
};

namespace {

// virtio_pci_cap (4.1.4): offsets in the vendor capability.
constexpr std::uint8_t kCapType = 3;
constexpr std::uint8_t kCapBar = 4;
constexpr std::uint8_t kCapOffset = 8;
constexpr std::uint8_t kCapLength = 12;
constexpr std::uint8_t kCapNotifyMultiplier = 16;

enum StructureType : std::uint8_t {
    kCommon = 1,
    kNotify = 2,
    kIsr = 3,
    kDevice = 4
};

constexpr std::uint8_t plus(std::uint8_t offset, std::uint8_t more) {
    return static_cast<std::uint8_t>(offset + more);
}

void write64(volatile std::uint32_t* halves, PhysAddr address) {
    halves[0] = static_cast<std::uint32_t>(address.value);
    halves[1] = static_cast<std::uint32_t>(address.value >> 32);
}

}  // namespace

Result<> Transport::find_structures() {
    static_assert(sizeof(CommonConfiguration) == 56);
    const pci::Location at = device_.location();
    for (auto cap = device_.capability(pci::CapabilityId::Vendor); cap;
         cap = device_.capability(pci::CapabilityId::Vendor, *cap)) {
        const std::uint8_t type = pci::read8(at, plus(*cap, kCapType));
        if (type < kCommon || type > kDevice)
            continue;
        const std::uint8_t bar = pci::read8(at, plus(*cap, kCapBar));
        const std::uint32_t offset = pci::read32(at, plus(*cap, kCapOffset));
        const std::uint32_t length = pci::read32(at, plus(*cap, kCapLength));
        // Several structures of a type are in the device's order of preference (4.1.4.1): the first
        // that can be mapped is taken.
        const Result<volatile void*> mapped = device_.map(bar, offset, length);
        if (!mapped)
            continue;
        const auto bytes = static_cast<volatile std::uint8_t*>(*mapped);
        switch (type) {
            case kCommon:
                if (!common_ && length >= sizeof(CommonConfiguration))
                    common_ = static_cast<volatile CommonConfiguration*>(*mapped);
                break;
            case kNotify:
                if (!notify_) {
                    notify_ = bytes;
                    notify_size_ = length;
                    notify_multiplier_ = pci::read32(at, plus(*cap, kCapNotifyMultiplier));
                }
                break;
            case kIsr:
                if (!isr_ && length >= 1)
                    isr_ = bytes;
                break;
            case kDevice:
                if (!config_) {
                    config_ = bytes;
                    config_size_ = length;
                }
                break;
            default:
                break;
        }
    }
    return common_ && notify_ && isr_ ? Result<>{} : fail(Errno::NxIo);
}

Result<> Transport::initialize(std::uint64_t required, std::uint64_t wanted) {
    device_.enable(pci::kCommandMemory | pci::kCommandBusMaster);
    SKEP_TRY(find_structures());

    common_->device_status = 0;
    while (common_->device_status != 0)  // reset is complete when it reads 0 (4.1.4.3.2)
        asm volatile("pause");
    common_->device_status = kAcknowledge;
    common_->device_status = kAcknowledge | kDriver;

    std::uint64_t offered = 0;
    for (std::uint32_t half = 0; half < 2; ++half) {
        common_->device_feature_select = half;
        offered |= std::uint64_t{common_->device_feature} << half * 32;
    }
    required |= kFeatureVersion1;
    if ((offered & required) != required) {
        give_up();
        return fail(Errno::NxIo);
    }
    features_ = offered & (required | wanted);
    for (std::uint32_t half = 0; half < 2; ++half) {
        common_->driver_feature_select = half;
        common_->driver_feature = static_cast<std::uint32_t>(features_ >> half * 32);
    }
    common_->device_status = kAcknowledge | kDriver | kFeaturesOk;
    if (!(common_->device_status & kFeaturesOk)) {
        give_up();
        return fail(Errno::NxIo);
    }
    common_->config_msix_vector = kNoVector;
    return {};
}

Result<> Transport::set_up_queue(std::uint16_t index, VirtQueue& queue, std::uint16_t vector) {
    if (index >= common_->num_queues)
        return fail(Errno::NxIo);
    common_->queue_select = index;
    const std::uint16_t most = common_->queue_size;
    const std::size_t notify_at = std::size_t{common_->queue_notify_off} * notify_multiplier_;
    if (most == 0 || notify_at + sizeof(std::uint16_t) > notify_size_)
        return fail(Errno::NxIo);
    SKEP_TRY(
        queue.create(index, most, reinterpret_cast<volatile std::uint16_t*>(notify_ + notify_at)));
    common_->queue_size = queue.size();
    write64(common_->queue_desc, queue.descriptor_area());
    write64(common_->queue_driver, queue.driver_area());
    write64(common_->queue_device, queue.device_area());
    if (!line_interrupts_) {
        common_->queue_msix_vector = vector;
        if (common_->queue_msix_vector != vector)  // the device has no resources for it (4.1.5.1.2)
            return fail(Errno::NoMem);
    }
    common_->queue_enable = 1;
    return {};
}

void Transport::start() {
    common_->device_status = kAcknowledge | kDriver | kFeaturesOk | kDriverOk;
}

void Transport::give_up() {
    if (common_)
        common_->device_status = kFailed;
}

Result<> Transport::attach_interrupt(std::uint16_t vector, InterruptHandler handler,
                                     void* context) {
    if (device_.msix_vectors() > vector)
        return device_.attach_msix(vector, handler, context);
    line_interrupts_ = true;
    return device_.attach_interrupt(handler, context);
}

}  // namespace skep::kernel::virtio
