// Device interrupts: legacy ISA/PCI lines through the IOAPIC (level or edge as ACPI/MP says), or
// MSI.
#pragma once

#include <kernel/base/errno.hpp>

namespace skep::kernel {

using InterruptHandler = void (*)(void* context);  // interrupt context, interrupts masked

enum class Trigger : std::uint8_t {
    Edge,
    Level
};

// `line` as in the PCI interrupt-line register / ISA IRQ. Lines may be shared: every handler is
// called.
Result<> attach_interrupt(std::uint32_t line, Trigger trigger, InterruptHandler handler,
                          void* context);

struct MsiMessage {
    std::uint64_t address;
    std::uint32_t data;
};
// Reserves a vector; the caller programs the device with the message.
Result<MsiMessage> attach_msi(InterruptHandler handler, void* context);

}  // namespace skep::kernel
