#include <kernel/dev/pci/bus.hpp>

#include <kernel/base/log.hpp>
#include <kernel/dev/pci/drivers.hpp>

#include <new>

namespace skep::kernel::pci {

namespace {

constexpr std::uint16_t kNoDevice = 0xffff;
constexpr std::uint8_t kMultiFunction = 0x80;
constexpr std::uint8_t kHeaderTypeMask = 0x7f;
constexpr std::uint8_t kHeaderBridge = 1;
constexpr unsigned kMaxBusDepth = 8;

List<Device> devices;

void attach_driver(Device& device) {
    const Location at = device.location();
    for (const Driver* driver : drivers()) {
        if (!driver->matches(device))
            continue;
        const Result<> attached = driver->attach(device);
        if (!attached)
            log("pci {:x}:{:x}.{}: {}: not usable, error {}", at.bus, at.device, at.function,
                driver->name, static_cast<unsigned>(attached.error()));
        return;
    }
}

void scan_bus(std::uint8_t bus, unsigned depth) {
    for (std::uint8_t slot = 0; slot < 32; ++slot) {
        for (std::uint8_t function = 0; function < 8; ++function) {
            const Location at{bus, slot, function};
            if (read16(at, kVendorId) == kNoDevice) {
                if (function == 0)
                    break;
                continue;
            }
            const std::uint8_t header = read8(at, kHeaderType);
            if (auto* device = new (std::nothrow) Device(at))
                devices.push_back(*device);
            if ((header & kHeaderTypeMask) == kHeaderBridge && depth < kMaxBusDepth) {
                const std::uint8_t secondary = read8(at, kSecondaryBus);
                if (secondary > bus)
                    scan_bus(secondary, depth + 1);
            }
            if (function == 0 && !(header & kMultiFunction))
                break;
        }
    }
}

}  // namespace

void initialize() {
    scan_bus(0, 0);
    unsigned count = 0;
    for (Device& device : devices) {
        ++count;
        attach_driver(device);
    }
    log("pci: {} functions", count);
}

}  // namespace skep::kernel::pci
