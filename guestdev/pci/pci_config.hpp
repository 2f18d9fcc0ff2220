// One PCI function's configuration space (PCI Local Bus 3.0, chapter 6): bytes, and which of their
// bits software may write.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace skep::guestdev {

// Offsets in the type 0 header.
namespace pci {
inline constexpr unsigned kVendorId = 0x00, kDeviceId = 0x02, kCommand = 0x04, kStatus = 0x06,
                          kRevision = 0x08, kClass = 0x09, kHeaderType = 0x0e, kBar0 = 0x10,
                          kSubsystemVendorId = 0x2c, kSubsystemId = 0x2e, kCapabilities = 0x34,
                          kInterruptLine = 0x3c, kInterruptPin = 0x3d;
inline constexpr std::uint16_t kCommandMemory = 1 << 1, kCommandBusMaster = 1 << 2,
                               kCommandInterruptDisable = 1 << 10;
inline constexpr std::uint16_t kStatusInterrupt = 1 << 3, kStatusCapabilities = 1 << 4;
}  // namespace pci

struct PciIdentity {
    std::uint16_t vendor, device;
    std::uint16_t subsystem_vendor, subsystem;
    std::uint32_t class_code;  // class, subclass, interface: 24 bits
    std::uint8_t revision;
};

class PciConfig {
  public:
    static constexpr unsigned kSize = 256;

    explicit PciConfig(const PciIdentity& identity);

    // Size 1, 2 or 4, aligned to it.
    std::uint32_t read(unsigned offset, unsigned size) const;
    void write(unsigned offset, unsigned size, std::uint32_t value);
    // Without regard to what software may write.
    void set(unsigned offset, unsigned size, std::uint32_t value);
    void allow(unsigned offset, unsigned size, std::uint32_t mask);

    // A 32-bit memory BAR of `size` bytes, a power of two.
    void add_memory_bar(unsigned index, std::uint32_t size, std::uint32_t address);
    std::uint32_t bar_address(unsigned index) const;
    // Appends a capability: `body` follows the two header bytes. Returns its offset.
    unsigned add_capability(std::uint8_t id, std::span<const std::uint8_t> body);
    void set_interrupt(std::uint8_t pin, std::uint8_t line);

    std::uint16_t command() const { return static_cast<std::uint16_t>(read(pci::kCommand, 2)); }

    std::span<const std::uint8_t> bytes() const { return bytes_; }
    // Takes saved bytes. A reason if they differ from this function where software cannot write
    // (the interrupt status bit apart).
    std::optional<std::string> restore(std::span<const std::uint8_t> saved);

  private:
    std::array<std::uint8_t, kSize> bytes_{}, writable_{};
    unsigned capabilities_end_ = 0x40;
    unsigned last_capability_ = 0;
};

}  // namespace skep::guestdev
