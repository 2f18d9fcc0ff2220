#include <guestdev/pci/pci_config.hpp>

#include <algorithm>
#include <cstdio>

namespace skep::guestdev {

PciConfig::PciConfig(const PciIdentity& identity) {
    set(pci::kVendorId, 2, identity.vendor);
    set(pci::kDeviceId, 2, identity.device);
    set(pci::kRevision, 4, identity.class_code << 8 | identity.revision);
    set(pci::kSubsystemVendorId, 2, identity.subsystem_vendor);
    set(pci::kSubsystemId, 2, identity.subsystem);
    allow(pci::kCommand, 2,
          pci::kCommandMemory | pci::kCommandBusMaster | pci::kCommandInterruptDisable);
}

std::uint32_t PciConfig::read(unsigned offset, unsigned size) const {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < size && offset + i < kSize; i++)
        value |= static_cast<std::uint32_t>(bytes_[offset + i]) << i * 8;
    return value;
}

void PciConfig::write(unsigned offset, unsigned size, std::uint32_t value) {
    for (unsigned i = 0; i < size && offset + i < kSize; i++) {
        std::uint8_t mask = writable_[offset + i];
        auto byte = static_cast<std::uint8_t>(value >> i * 8);
        bytes_[offset + i] =
            static_cast<std::uint8_t>((bytes_[offset + i] & ~mask) | (byte & mask));
    }
}

void PciConfig::set(unsigned offset, unsigned size, std::uint32_t value) {
    for (unsigned i = 0; i < size && offset + i < kSize; i++)
        bytes_[offset + i] = static_cast<std::uint8_t>(value >> i * 8);
}

void PciConfig::allow(unsigned offset, unsigned size, std::uint32_t mask) {
    for (unsigned i = 0; i < size && offset + i < kSize; i++)
        writable_[offset + i] = static_cast<std::uint8_t>(mask >> i * 8);
}

void PciConfig::add_memory_bar(unsigned index, std::uint32_t size, std::uint32_t address) {
    // The bits below the size read as zero whatever is written: that is how software sizes a BAR.
    set(pci::kBar0 + 4 * index, 4, address);
    allow(pci::kBar0 + 4 * index, 4, ~(size - 1));
}

std::uint32_t PciConfig::bar_address(unsigned index) const {
    return read(pci::kBar0 + 4 * index, 4) & ~0xfu;
}

unsigned PciConfig::add_capability(std::uint8_t id, std::span<const std::uint8_t> body) {
    unsigned offset = capabilities_end_;
    bytes_[offset] = id;
    std::ranges::copy(body, bytes_.begin() + offset + 2);
    if (last_capability_ == 0) {
        bytes_[pci::kCapabilities] = static_cast<std::uint8_t>(offset);
        set(pci::kStatus, 2, read(pci::kStatus, 2) | pci::kStatusCapabilities);
    } else {
        bytes_[last_capability_ + 1] = static_cast<std::uint8_t>(offset);
    }
    last_capability_ = offset;
    capabilities_end_ = (offset + 2 + static_cast<unsigned>(body.size()) + 3) & ~3u;
    return offset;
}

void PciConfig::set_interrupt(std::uint8_t pin, std::uint8_t line) {
    bytes_[pci::kInterruptPin] = pin;
    bytes_[pci::kInterruptLine] = line;
    allow(pci::kInterruptLine, 1, 0xff);
}

std::optional<std::string> PciConfig::restore(std::span<const std::uint8_t> saved) {
    if (saved.size() != kSize)
        return "configuration space is not 256 bytes";
    for (unsigned i = 0; i < kSize; i++) {
        std::uint8_t fixed = static_cast<std::uint8_t>(~writable_[i]);
        if (i == pci::kStatus)
            fixed &= static_cast<std::uint8_t>(~pci::kStatusInterrupt);
        if ((saved[i] ^ bytes_[i]) & fixed) {
            char text[96];
            std::snprintf(text, sizeof text,
                          "configuration byte 0x%02x is 0x%02x, this device has 0x%02x", i,
                          saved[i], bytes_[i]);
            return text;
        }
    }
    std::ranges::copy(saved, bytes_.begin());
    return std::nullopt;
}

}  // namespace skep::guestdev
