#include <guestdev/virtio/virtio_pci.hpp>

#include <cstring>

namespace skep::guestdev {
namespace {

// BAR 0.
constexpr std::uint32_t kCommon = 0x0000, kIsr = 0x1000, kDevice = 0x2000, kNotify = 0x3000,
                        kMsixTable = 0x4000, kMsixPending = 0x5000, kAreaSize = 0x1000;
constexpr std::uint32_t kCommonSize = 0x38, kNotifyMultiplier = 4;

// virtio 1.2, 4.1.4.3.
enum Common : std::uint64_t {
    kDeviceFeatureSelect = 0x00,
    kDeviceFeature = 0x04,
    kDriverFeatureSelect = 0x08,
    kDriverFeature = 0x0c,
    kConfigVector = 0x10,
    kQueueCount = 0x12,
    kDeviceStatus = 0x14,
    kConfigGeneration = 0x15,
    kQueueSelect = 0x16,
    kQueueSize = 0x18,
    kQueueVector = 0x1a,
    kQueueEnable = 0x1c,
    kQueueNotifyOffset = 0x1e,
    kQueueDescriptors = 0x20,
    kQueueDriverArea = 0x28,
    kQueueDeviceArea = 0x30,
};
enum DeviceStatus : std::uint8_t {  // 2.1
    kDriverOk = 4,
    kFeaturesOk = 8,
    kNeedsReset = 0x40,
};
enum IsrBit : std::uint8_t {
    kIsrQueue = 1,
    kIsrConfig = 2
};

// 4.1.4: capability types.
enum CapabilityType : std::uint8_t {
    kCapCommon = 1,
    kCapNotify = 2,
    kCapIsr = 3,
    kCapDevice = 4,
    kCapWindow = 5,
};
constexpr std::uint8_t kVendorCapability = 0x09, kMsixCapability = 0x11;
constexpr std::uint16_t kMsixEnable = 1 << 15, kMsixFunctionMask = 1 << 14;

constexpr std::uint16_t kVirtioVendor = 0x1af4, kModernDeviceBase = 0x1040;

void put(std::span<std::uint8_t> bytes, unsigned offset, unsigned size, std::uint64_t value) {
    for (unsigned i = 0; i < size; i++)
        bytes[offset + i] = static_cast<std::uint8_t>(value >> i * 8);
}

// struct virtio_pci_cap (4.1.4), without the two bytes that every capability starts with.
std::array<std::uint8_t, 14> capability(CapabilityType type, std::uint8_t total,
                                        std::uint32_t offset, std::uint32_t length) {
    std::array<std::uint8_t, 14> body{};
    body[0] = total;
    body[1] = type;
    put(body, 6, 4, offset);
    put(body, 10, 4, length);
    return body;
}

}  // namespace

VirtioPci::VirtioPci(VirtioDevice& device, VirtioPciWiring wiring)
    : device_(device),
      wiring_(std::move(wiring)),
      config_(PciIdentity{
          .vendor = kVirtioVendor,
          .device = static_cast<std::uint16_t>(kModernDeviceBase + device.type()),
          .subsystem_vendor = kVirtioVendor,
          .subsystem = static_cast<std::uint16_t>(kModernDeviceBase + device.type()),
          .class_code = device.class_code(),
          .revision = 1,
      }) {
    for (unsigned i = 0; i < device.queues(); i++)
        queues_.emplace_back(device.queue_size());
    msix_.resize(device.queues() + 1);

    config_.add_memory_bar(0, kBarSize, wiring_.bar_address);
    config_.set_interrupt(1, wiring_.interrupt_line);
    config_.add_capability(kVendorCapability, capability(kCapCommon, 16, kCommon, kCommonSize));
    config_.add_capability(kVendorCapability, capability(kCapIsr, 16, kIsr, 1));
    config_.add_capability(kVendorCapability, capability(kCapDevice, 16, kDevice, kAreaSize));

    std::array<std::uint8_t, 18> extended{};
    auto fill = [&](CapabilityType type, std::uint32_t offset, std::uint32_t length,
                    std::uint32_t last) {
        auto body = capability(type, 20, offset, length);
        std::memcpy(extended.data(), body.data(), body.size());
        put(extended, 14, 4, last);
    };
    fill(kCapNotify, kNotify, kNotifyMultiplier * device.queues(), kNotifyMultiplier);
    config_.add_capability(kVendorCapability, extended);
    fill(kCapWindow, 0, 0, 0);
    window_capability_ = config_.add_capability(kVendorCapability, extended);
    config_.allow(window_capability_ + 4, 1, 0xff);          // bar
    config_.allow(window_capability_ + 8, 4, 0xffff'ffff);   // offset
    config_.allow(window_capability_ + 12, 4, 0xffff'ffff);  // length
    config_.allow(window_capability_ + 16, 4, 0xffff'ffff);  // data

    std::array<std::uint8_t, 10> msix{};
    put(msix, 0, 2, msix_.size() - 1);
    put(msix, 2, 4, kMsixTable);
    put(msix, 6, 4, kMsixPending);
    msix_capability_ = config_.add_capability(kMsixCapability, msix);
    config_.allow(msix_capability_ + 2, 2, kMsixEnable | kMsixFunctionMask);
}

std::uint64_t VirtioPci::offered_features() const {
    return device_.features() | kVirtioVersion1 | kVirtioRingIndirect;
}

// ---- interrupts

bool VirtioPci::msix_enabled() const {
    return config_.read(msix_capability_ + 2, 2) & kMsixEnable;
}

bool VirtioPci::msix_masked(unsigned vector) const {
    return (config_.read(msix_capability_ + 2, 2) & kMsixFunctionMask) ||
           (msix_[vector].control & 1);
}

void VirtioPci::raise(std::uint16_t vector, std::uint8_t isr_bit) {
    if (!msix_enabled()) {
        isr_ |= isr_bit;
        update_intx();
        return;
    }
    if (vector >= msix_.size())
        return;
    msix_pending_ |= 1ull << vector;
    deliver_pending();
}

void VirtioPci::deliver_pending() {
    if (!msix_enabled())
        return;
    for (unsigned vector = 0; vector < msix_.size(); vector++) {
        if (!(msix_pending_ >> vector & 1) || msix_masked(vector))
            continue;
        msix_pending_ &= ~(1ull << vector);
        wiring_.msi({msix_[vector].address, msix_[vector].data});
    }
}

void VirtioPci::update_intx() {
    bool pending = isr_ != 0 && !msix_enabled();
    std::uint32_t status = config_.read(pci::kStatus, 2) & ~std::uint32_t{pci::kStatusInterrupt};
    config_.set(pci::kStatus, 2, status | (pending ? pci::kStatusInterrupt : 0u));
    wiring_.intx.set(pending && !(config_.command() & pci::kCommandInterruptDisable));
}

// ---- device life

void VirtioPci::reset() {
    for (VirtQueue& queue : queues_)
        queue.reset();
    driver_features_ = 0;
    device_feature_select_ = driver_feature_select_ = 0;
    status_ = 0;
    isr_ = 0;
    config_vector_ = VirtQueue::kNoVector;
    queue_select_ = 0;
    msix_pending_ = 0;
    broken_.clear();
    update_intx();
}

void VirtioPci::break_device(std::string reason) {
    broken_ = std::move(reason);
    status_ |= kNeedsReset;
    if (status_ & kDriverOk)
        raise(config_vector_, kIsrConfig);
}

void VirtioPci::notify(unsigned queue_index) {
    if (queue_index >= queues_.size() || !(status_ & kDriverOk) || (status_ & kNeedsReset))
        return;
    VirtQueue& queue = queues_[queue_index];
    if (!queue.state.enabled || !(config_.command() & pci::kCommandBusMaster))
        return;
    auto used = device_.process(queue_index, queue, driver_features_, wiring_.memory);
    if (!used) {
        break_device("queue " + std::to_string(queue_index) + ": " + used.error());
        return;
    }
    if (*used && queue.wants_interrupt(wiring_.memory))
        raise(queue.state.vector, kIsrQueue);
}

// ---- common configuration

std::uint64_t VirtioPci::read_common(std::uint64_t offset, unsigned size) const {
    std::array<std::uint8_t, kCommonSize + 8> bytes{};
    auto features = [](std::uint64_t all, std::uint32_t select) {
        return select < 2 ? static_cast<std::uint32_t>(all >> select * 32) : 0;
    };
    put(bytes, kDeviceFeatureSelect, 4, device_feature_select_);
    put(bytes, kDeviceFeature, 4, features(offered_features(), device_feature_select_));
    put(bytes, kDriverFeatureSelect, 4, driver_feature_select_);
    put(bytes, kDriverFeature, 4, features(driver_features_, driver_feature_select_));
    put(bytes, kConfigVector, 2, config_vector_);
    put(bytes, kQueueCount, 2, queues_.size());
    put(bytes, kDeviceStatus, 1, status_);
    put(bytes, kConfigGeneration, 1, config_generation_);
    put(bytes, kQueueSelect, 2, queue_select_);
    if (queue_select_ < queues_.size()) {
        const VirtQueue::State& queue = queues_[queue_select_].state;
        put(bytes, kQueueSize, 2, queue.size);
        put(bytes, kQueueVector, 2, queue.vector);
        put(bytes, kQueueEnable, 2, queue.enabled);
        put(bytes, kQueueNotifyOffset, 2, queue_select_);
        put(bytes, kQueueDescriptors, 8, queue.descriptors);
        put(bytes, kQueueDriverArea, 8, queue.driver_area);
        put(bytes, kQueueDeviceArea, 8, queue.device_area);
    }
    std::uint64_t value = 0;
    for (unsigned i = 0; i < size && offset + i < kCommonSize; i++)
        value |= static_cast<std::uint64_t>(bytes[offset + i]) << i * 8;
    return value;
}

void VirtioPci::write_status(std::uint8_t value) {
    if (value == 0) {
        reset();
        return;
    }
    // 2.2.2: the device accepts the driver's choice by leaving FEATURES_OK set.
    bool acceptable =
        !(driver_features_ & ~offered_features()) && (driver_features_ & kVirtioVersion1);
    if ((value & kFeaturesOk) && !(status_ & kFeaturesOk) && !acceptable)
        value &= static_cast<std::uint8_t>(~kFeaturesOk);
    status_ = static_cast<std::uint8_t>(value | (status_ & kNeedsReset));
}

void VirtioPci::write_queue(std::uint64_t offset, unsigned size, std::uint64_t value) {
    if (queue_select_ >= queues_.size())
        return;
    VirtQueue::State& queue = queues_[queue_select_].state;
    auto value16 = static_cast<std::uint16_t>(value);
    if (offset == kQueueVector && size == 2) {
        queue.vector = value < msix_.size() ? value16 : VirtQueue::kNoVector;
        return;
    }
    // 4.1.4.3.2: the driver configures a queue before it enables it, and never after.
    if (queue.enabled)
        return;
    if (offset == kQueueSize && size == 2) {
        bool power_of_two = value16 != 0 && (value16 & (value16 - 1)) == 0;
        if (power_of_two && value16 <= queues_[queue_select_].max_size())
            queue.size = value16;
        return;
    }
    if (offset == kQueueEnable && size == 2) {
        queue.enabled = value == 1;
        return;
    }
    if (offset < kQueueDescriptors || (size != 4 && size != 8) || offset % 4)
        return;
    std::uint64_t* field = offset < kQueueDriverArea   ? &queue.descriptors
                           : offset < kQueueDeviceArea ? &queue.driver_area
                                                       : &queue.device_area;
    if (size == 8 && offset % 8 == 0) {
        *field = value;
    } else if (size == 4) {
        unsigned shift = offset % 8 * 8;
        *field = (*field & ~(0xffff'ffffull << shift)) | value << shift;
    }
}

void VirtioPci::write_common(std::uint64_t offset, unsigned size, std::uint64_t value) {
    if (offset >= kQueueSize) {
        write_queue(offset, size, value);
        return;
    }
    auto value32 = static_cast<std::uint32_t>(value);
    switch (offset) {
        case kDeviceFeatureSelect:
            if (size == 4)
                device_feature_select_ = value32;
            break;
        case kDriverFeatureSelect:
            if (size == 4)
                driver_feature_select_ = value32;
            break;
        case kDriverFeature:
            if (size == 4 && driver_feature_select_ < 2 && !(status_ & kFeaturesOk)) {
                unsigned shift = driver_feature_select_ * 32;
                driver_features_ = (driver_features_ & ~(0xffff'ffffull << shift)) |
                                   static_cast<std::uint64_t>(value32) << shift;
            }
            break;
        case kConfigVector:
            if (size == 2)
                config_vector_ =
                    value < msix_.size() ? static_cast<std::uint16_t>(value) : VirtQueue::kNoVector;
            break;
        case kDeviceStatus:
            if (size == 1)
                write_status(static_cast<std::uint8_t>(value));
            break;
        case kQueueSelect:
            if (size == 2)
                queue_select_ = static_cast<std::uint16_t>(value);
            break;
        default:
            break;
    }
}

// ---- MSI-X table

std::uint64_t VirtioPci::read_msix(std::uint64_t offset, unsigned size) const {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        std::uint64_t at = offset + i;
        if (at / 16 >= msix_.size())
            break;
        const MsixEntry& entry = msix_[at / 16];
        std::array<std::uint8_t, 16> bytes{};
        put(bytes, 0, 8, entry.address);
        put(bytes, 8, 4, entry.data);
        put(bytes, 12, 4, entry.control);
        value |= static_cast<std::uint64_t>(bytes[at % 16]) << i * 8;
    }
    return value;
}

void VirtioPci::write_msix(std::uint64_t offset, unsigned size, std::uint64_t value) {
    // PCI 3.0, 6.8.2: only whole, aligned 32 or 64 bits.
    if ((size != 4 && size != 8) || offset % size || offset / 16 >= msix_.size())
        return;
    MsixEntry& entry = msix_[offset / 16];
    for (unsigned done = 0; done < size; done += 4) {
        auto part = static_cast<std::uint32_t>(value >> done * 8);
        switch ((offset + done) % 16) {
            case 0:
                entry.address = (entry.address & ~0xffff'ffffull) | part;
                break;
            case 4:
                entry.address = (entry.address & 0xffff'ffff) | static_cast<std::uint64_t>(part)
                                                                    << 32;
                break;
            case 8:
                entry.data = part;
                break;
            default:
                entry.control = part & 1;
                break;
        }
    }
    deliver_pending();
}

// ---- BAR 0

std::uint64_t VirtioPci::read(std::uint64_t offset, unsigned size) {
    std::uint64_t in_area = offset % kAreaSize;
    switch (offset - in_area) {
        case kCommon:
            return read_common(in_area, size);
        case kIsr: {
            if (in_area != 0)
                return 0;
            std::uint8_t value = isr_;
            isr_ = 0;
            update_intx();
            return value;
        }
        case kDevice: {
            std::uint64_t value = 0;
            for (unsigned i = 0; i < size; i++)
                value |= static_cast<std::uint64_t>(device_.config_byte(in_area + i)) << i * 8;
            return value;
        }
        case kMsixTable:
            return read_msix(in_area, size);
        case kMsixPending:
            return in_area < 8 ? msix_pending_ >> in_area * 8 : 0;
        default:
            return 0;
    }
}

void VirtioPci::write(std::uint64_t offset, unsigned size, std::uint64_t value) {
    std::uint64_t in_area = offset % kAreaSize;
    switch (offset - in_area) {
        case kCommon:
            write_common(in_area, size, value);
            break;
        case kNotify:
            notify(static_cast<unsigned>(in_area / kNotifyMultiplier));
            break;
        case kMsixTable:
            write_msix(in_area, size, value);
            break;
        default:
            break;
    }
}

// ---- configuration space

void VirtioPci::update_mapping() {
    std::optional<std::uint32_t> wanted;
    if (config_.command() & pci::kCommandMemory)
        wanted = config_.bar_address(0);
    if (wanted == mapped_)
        return;
    if (mapped_)
        wiring_.memory_bus.release(*mapped_);
    mapped_.reset();
    // An address that overlaps another device answers for that one only.
    if (wanted && wiring_.memory_bus.claim(*wanted, kBarSize, *this))
        mapped_ = wanted;
}

// 4.1.4.9: the window through which BAR contents are reached by configuration accesses.
bool VirtioPci::config_window(std::uint32_t& offset, unsigned& size) const {
    offset = config_.read(window_capability_ + 8, 4);
    size = config_.read(window_capability_ + 12, 4);
    return config_.read(window_capability_ + 4, 1) == 0 && (size == 1 || size == 2 || size == 4) &&
           offset % size == 0 && offset < kBarSize;
}

std::uint32_t VirtioPci::config_read(unsigned offset, unsigned size) {
    std::uint32_t at;
    unsigned width;
    if (offset == window_capability_ + 16 && config_window(at, width))
        config_.set(offset, 4, static_cast<std::uint32_t>(read(at, width) & all_ones(width)));
    return config_.read(offset, size);
}

void VirtioPci::config_write(unsigned offset, unsigned size, std::uint32_t value) {
    std::uint32_t at;
    unsigned width;
    if (offset == window_capability_ + 16 && config_window(at, width)) {
        write(at, width, value & all_ones(width));
        return;
    }
    config_.write(offset, size, value);
    update_mapping();
    update_intx();
    deliver_pending();
}

}  // namespace skep::guestdev
