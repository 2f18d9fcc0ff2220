// The machine's terminal, on COM1 and the screen: /dev/console and /dev/ttyS0; and /dev/tty, a
// process's controlling terminal.
#pragma once

#include <kernel/base/errno.hpp>
#include <kernel/dev/tty/framebuffer_mode.hpp>

#include <optional>

namespace skep::kernel {

// `framebuffer`: as the boot loader left it. After init_devfs(), init_interrupts() and with the
// scheduler running.
Result<> init_console(const std::optional<FramebufferMode>& framebuffer);

}  // namespace skep::kernel
