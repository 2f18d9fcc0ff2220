#include <guestdev/acpi_pm/acpi_pm_bus.hpp>

namespace skep::guestdev {

void AcpiPmBus::press_power_button() {
    pm_.press_power_button();
    sci_.set(pm_.interrupt());
}

void AcpiPmBus::advance(GuestTime now) {
    pm_.advance(now);
    sci_.set(pm_.interrupt());
}

// The 32 bits at a multiple of four.
std::uint32_t AcpiPmBus::read_word(unsigned offset) {
    switch (offset) {
        case AcpiPm::kEventBlock:
            return pm_.read_status(time_.now()) | static_cast<std::uint32_t>(pm_.read_enable())
                                                      << 16;
        case AcpiPm::kControlBlock:
            return pm_.read_control();
        default:
            return pm_.read_timer(time_.now());
    }
}

std::uint64_t AcpiPmBus::read(std::uint64_t offset, unsigned size) {
    auto at = static_cast<unsigned>(offset);
    std::uint64_t value = read_word(at & ~3u);
    if ((at & 3) + size > 4)
        value |= static_cast<std::uint64_t>(read_word((at & ~3u) + 4)) << 32;
    sci_.set(pm_.interrupt());
    return value >> (at & 3) * 8;
}

void AcpiPmBus::write(std::uint64_t offset, unsigned size, std::uint64_t value) {
    // Byte by byte into 16-bit registers: bytes that are not written keep their value, or in the
    // status register clear nothing.
    GuestTime now = time_.now();
    auto at = static_cast<unsigned>(offset);
    for (unsigned reg = at & ~1u; reg < at + size; reg += 2) {
        std::uint16_t mask = 0, written = 0;
        for (unsigned byte = 0; byte < 2; byte++) {
            unsigned index = reg + byte - at;
            if (reg + byte < at || index >= size)
                continue;
            mask |= static_cast<std::uint16_t>(0xff << byte * 8);
            written |= static_cast<std::uint16_t>((value >> index * 8 & 0xff) << byte * 8);
        }
        auto merged = [&](std::uint16_t old) {
            return static_cast<std::uint16_t>((old & ~mask) | written);
        };
        switch (reg) {
            case AcpiPm::kEventBlock:
                pm_.write_status(written, now);
                break;
            case AcpiPm::kEventBlock + 2:
                pm_.write_enable(merged(pm_.read_enable()), now);
                break;
            case AcpiPm::kControlBlock:
                request(pm_.write_control(merged(pm_.read_control())));
                break;
            default:
                break;
        }
    }
    sci_.set(pm_.interrupt());
}

}  // namespace skep::guestdev
