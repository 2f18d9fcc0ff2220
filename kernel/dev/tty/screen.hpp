// The machine's own console, where there is one: a screen and the PS/2 keyboard.
#pragma once

#include <kernel/dev/tty/framebuffer_mode.hpp>
#include <kernel/dev/tty/tty.hpp>

#include <optional>
#include <span>

namespace skep::kernel {

// On the framebuffer that the boot loader left, or in VGA text memory. False: there is neither.
bool init_screen(const std::optional<FramebufferMode>& mode);
// Nothing without a screen. Also with interrupts masked; the caller need not serialize.
void screen_write(std::span<const std::uint8_t> bytes);
// Input goes to `tty`. NoDev: there is no keyboard controller.
Result<> start_keyboard(Tty& tty);

}  // namespace skep::kernel
