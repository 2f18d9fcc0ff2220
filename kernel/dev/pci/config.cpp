#include <kernel/dev/pci/config.hpp>

#include <kernel/dev/port_io.hpp>
#include <kernel/sync/spinlock.hpp>

namespace skep::kernel::pci {

namespace {

constexpr std::uint16_t kAddressPort = 0xcf8;
constexpr std::uint16_t kDataPort = 0xcfc;
constexpr std::uint32_t kEnable = 1u << 31;

// The address register and the data register are one access.
SpinLock config_lock{"pci configuration"};

void select(Location at, std::uint8_t offset) {
    out32(kAddressPort,
          kEnable | at.bus << 16 | at.device << 11 | at.function << 8 | (offset & 0xfc));
}

}  // namespace

std::uint32_t read32(Location at, std::uint8_t offset) {
    const SpinGuard guard(config_lock);
    select(at, offset);
    return in32(kDataPort);
}

std::uint16_t read16(Location at, std::uint8_t offset) {
    return static_cast<std::uint16_t>(read32(at, offset) >> (offset & 2) * 8);
}

std::uint8_t read8(Location at, std::uint8_t offset) {
    return static_cast<std::uint8_t>(read32(at, offset) >> (offset & 3) * 8);
}

void write16(Location at, std::uint8_t offset, std::uint16_t value) {
    const SpinGuard guard(config_lock);
    select(at, offset);
    out16(kDataPort + (offset & 2), value);
}

void write32(Location at, std::uint8_t offset, std::uint32_t value) {
    const SpinGuard guard(config_lock);
    select(at, offset);
    out32(kDataPort, value);
}

}  // namespace skep::kernel::pci
