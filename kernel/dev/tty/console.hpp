// The terminal on COM1: /dev/console and /dev/ttyS0, and /dev/tty, a process's controlling
// terminal.
#pragma once

#include <kernel/base/errno.hpp>

namespace skep::kernel {

// After init_devfs(), init_interrupts() and with the scheduler running.
Result<> init_console();

}  // namespace skep::kernel
