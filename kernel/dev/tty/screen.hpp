// The machine's own console, where there is one: VGA text memory and the PS/2 keyboard.
#pragma once

#include <kernel/dev/tty/tty.hpp>

#include <string_view>

namespace skep::kernel {

// False: the firmware left no text mode (BIOS data area), as after UEFI.
bool init_screen();
// Nothing without a screen. Also with interrupts masked; the caller need not serialize.
void screen_write(std::span<const std::uint8_t> bytes);
// Input goes to `tty`. NoDev: there is no keyboard controller.
Result<> start_keyboard(Tty& tty);

}  // namespace skep::kernel
