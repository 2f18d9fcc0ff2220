// PCI configuration space by configuration mechanism 1 (PCI Local Bus
// Specification 3.0, 3.2.2.3.2).
#pragma once

#include <cstdint>

namespace skep::kernel::pci {

struct Location {
    std::uint8_t bus = 0, device = 0, function = 0;
};

std::uint8_t read8(Location, std::uint8_t offset);
std::uint16_t read16(Location, std::uint8_t offset);
std::uint32_t read32(Location, std::uint8_t offset);
void write16(Location, std::uint8_t offset, std::uint16_t value);
void write32(Location, std::uint8_t offset, std::uint32_t value);

// Offsets in the header (PCI 3.0, 6.1); from kBar0 on those of header type 0.
enum Register : std::uint8_t {
    kVendorId = 0x00,
    kDeviceId = 0x02,
    kCommand = 0x04,
    kStatus = 0x06,
    kRevision = 0x08,
    kClass = 0x08,  // 32 bits: class, subclass, interface, revision
    kHeaderType = 0x0e,
    kBar0 = 0x10,
    kSecondaryBus = 0x19,  // header type 1
    kSubsystemId = 0x2e,
    kCapabilities = 0x34,
    kInterruptLine = 0x3c,
    kInterruptPin = 0x3d,
};

enum Command : std::uint16_t {
    kCommandIo = 1,
    kCommandMemory = 2,
    kCommandBusMaster = 4,
    kCommandInterruptDisable = 0x400,
};

inline constexpr std::uint16_t kStatusCapabilities = 0x10;

enum class CapabilityId : std::uint8_t {
    Msi = 0x05,
    Vendor = 0x09,
    MsiX = 0x11
};

}  // namespace skep::kernel::pci
