// VGA text memory, mode 3.
#pragma once

#include <kernel/dev/tty/display.hpp>

namespace skep::kernel {

// Of `picture`, which stays. Null: the firmware left no text mode (BIOS data area), as after UEFI.
Display* open_vga_text(TextScreen::Picture picture);

}  // namespace skep::kernel
