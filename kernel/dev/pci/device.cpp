#include <kernel/dev/pci/device.hpp>

namespace skep::kernel::pci {

namespace {

constexpr std::uint32_t kBarIo = 1;
constexpr std::uint32_t kBarType = 6;
constexpr std::uint32_t kBarType64 = 4;
constexpr std::uint32_t kBarIoMask = ~3u;
constexpr std::uint32_t kBarMemoryMask = ~15u;
constexpr unsigned kBars = 6;

// A malformed list must not loop for ever: there is room for this many capabilities.
constexpr unsigned kMaxCapabilities = 48;

// MSI capability (PCI 3.0, 6.8.1): message control, then address, (upper address,) data.
constexpr std::uint16_t kMsiEnable = 1;
constexpr std::uint16_t kMsiMultipleEnable = 7 << 4;
constexpr std::uint16_t kMsi64 = 1 << 7;

// MSI-X capability (PCI 3.0, 6.8.2).
constexpr std::uint16_t kMsixEnable = 1 << 15;
constexpr std::uint16_t kMsixFunctionMask = 1 << 14;
constexpr std::uint16_t kMsixTableSize = 0x7ff;
constexpr std::uint32_t kMsixBarMask = 7;
constexpr std::uint32_t kMsixEntrySize = 16;
constexpr std::uint32_t kMsixEntryMasked = 1;

constexpr std::uint8_t offset_plus(std::uint8_t offset, unsigned more) {
    return static_cast<std::uint8_t>(offset + more);
}

}  // namespace

Device::Device(Location location)
    : location_(location),
      vendor_(read16(location, kVendorId)),
      device_(read16(location, kDeviceId)),
      class_code_(read32(location, kClass) >> 8),
      revision_(read8(location, kRevision)) {}

std::uint8_t Device::interrupt_line() const {
    return read8(location_, kInterruptLine);
}

Bar Device::bar(unsigned index) const {
    if (index >= kBars)
        return {};
    const std::uint8_t at = offset_plus(kBar0, index * 4);
    const std::uint32_t low = read32(location_, at);
    const bool wide = !(low & kBarIo) && (low & kBarType) == kBarType64 && index + 1 < kBars;
    const std::uint32_t high = wide ? read32(location_, offset_plus(at, 4)) : 0;

    // The size shows in the bits that keep ones (6.2.5.1); nothing may decode meanwhile.
    const std::uint16_t command = read16(location_, kCommand);
    write16(location_, kCommand,
            command & static_cast<std::uint16_t>(~(kCommandIo | kCommandMemory)));
    write32(location_, at, ~0u);
    const std::uint32_t low_mask = read32(location_, at);
    write32(location_, at, low);
    std::uint32_t high_mask = ~0u;
    if (wide) {
        write32(location_, offset_plus(at, 4), ~0u);
        high_mask = read32(location_, offset_plus(at, 4));
        write32(location_, offset_plus(at, 4), high);
    }
    write16(location_, kCommand, command);

    if (low_mask == 0)
        return {};
    if (low & kBarIo) {
        const std::uint32_t size = (~(low_mask & kBarIoMask) + 1) & 0xffff;
        return {Bar::Kind::Io, low & kBarIoMask, size};
    }
    const std::uint64_t mask = std::uint64_t{high_mask} << 32 | (low_mask & kBarMemoryMask);
    return {Bar::Kind::Memory, std::uint64_t{high} << 32 | (low & kBarMemoryMask), ~mask + 1};
}

Result<volatile void*> Device::map(unsigned index, std::uint64_t offset, std::size_t size) const {
    const Bar window = bar(index);
    if (window.kind != Bar::Kind::Memory || window.base == 0 || offset > window.size ||
        size > window.size - offset)
        return fail(Errno::Inval);
    return map_device(PhysAddr{window.base + offset}, size);
}

std::optional<std::uint8_t> Device::capability(CapabilityId id, std::uint8_t previous) const {
    if (!(read16(location_, kStatus) & kStatusCapabilities))
        return std::nullopt;
    std::uint8_t at =
        previous ? read8(location_, offset_plus(previous, 1)) : read8(location_, kCapabilities);
    for (unsigned i = 0; i < kMaxCapabilities && (at &= 0xfc) != 0; ++i) {
        if (read8(location_, at) == static_cast<std::uint8_t>(id))
            return at;
        at = read8(location_, offset_plus(at, 1));
    }
    return std::nullopt;
}

void Device::enable(std::uint16_t command_bits) {
    write16(location_, kCommand, read16(location_, kCommand) | command_bits);
}

Result<> Device::attach_interrupt(InterruptHandler handler, void* context) {
    if (const auto msi = capability(CapabilityId::Msi))
        return attach_single_msi(*msi, handler, context);
    if (read8(location_, kInterruptPin) == 0)
        return fail(Errno::NxIo);
    return kernel::attach_interrupt(interrupt_line(), Trigger::Level, handler, context);
}

Result<> Device::attach_single_msi(std::uint8_t at, InterruptHandler handler, void* context) {
    const MsiMessage message = SKEP_TRY(attach_msi(handler, context));
    std::uint16_t control = read16(location_, offset_plus(at, 2));
    write32(location_, offset_plus(at, 4), static_cast<std::uint32_t>(message.address));
    std::uint8_t data = offset_plus(at, 8);
    if (control & kMsi64) {
        write32(location_, offset_plus(at, 8), static_cast<std::uint32_t>(message.address >> 32));
        data = offset_plus(at, 12);
    }
    write16(location_, data, static_cast<std::uint16_t>(message.data));
    control = static_cast<std::uint16_t>((control & ~kMsiMultipleEnable) | kMsiEnable);
    write16(location_, offset_plus(at, 2), control);
    enable(kCommandInterruptDisable);
    return {};
}

std::uint32_t Device::msix_vectors() const {
    const auto at = capability(CapabilityId::MsiX);
    return at ? (read16(location_, offset_plus(*at, 2)) & kMsixTableSize) + 1u : 0;
}

Result<> Device::attach_msix(std::uint32_t index, InterruptHandler handler, void* context) {
    const auto at = capability(CapabilityId::MsiX);
    if (!at || index >= msix_vectors())
        return fail(Errno::Inval);
    if (!msix_table_) {
        const std::uint32_t where = read32(location_, offset_plus(*at, 4));
        const auto table = SKEP_TRY(
            map(where & kMsixBarMask, where & ~kMsixBarMask, msix_vectors() * kMsixEntrySize));
        msix_table_ = static_cast<volatile std::uint32_t*>(table);
        const std::uint16_t control = read16(location_, offset_plus(*at, 2));
        write16(location_, offset_plus(*at, 2),
                static_cast<std::uint16_t>((control & ~kMsixFunctionMask) | kMsixEnable));
        enable(kCommandInterruptDisable);
    }
    const MsiMessage message = SKEP_TRY(attach_msi(handler, context));
    volatile std::uint32_t* entry = msix_table_ + index * kMsixEntrySize / sizeof(std::uint32_t);
    entry[3] = kMsixEntryMasked;
    entry[0] = static_cast<std::uint32_t>(message.address);
    entry[1] = static_cast<std::uint32_t>(message.address >> 32);
    entry[2] = message.data;
    entry[3] = 0;
    return {};
}

}  // namespace skep::kernel::pci
