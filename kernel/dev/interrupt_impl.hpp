#pragma once

#include <cstdint>

namespace skep::kernel {

// Masks the 8259s, maps the IOAPICs.
void init_interrupts();
// A vector between kFirstDeviceVector and kLastDeviceVector arrived.
void handle_device_interrupt(std::uint8_t vector);

}  // namespace skep::kernel
