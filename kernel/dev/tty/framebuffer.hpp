// The text screen on a linear framebuffer.
#pragma once

#include <kernel/dev/tty/display.hpp>
#include <kernel/dev/tty/framebuffer_mode.hpp>

namespace skep::kernel {

// Of `picture`, which stays. Null: it cannot be drawn in that mode.
Display* open_framebuffer(const FramebufferMode& mode, TextScreen::Picture picture);

}  // namespace skep::kernel
