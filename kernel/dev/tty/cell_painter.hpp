// Draws the cells of a text screen as pixels. Hardware-free: `pixels` may be any memory.
#pragma once

#include <kernel/dev/tty/framebuffer_mode.hpp>
#include <kernel/dev/tty/text_screen.hpp>

namespace skep::kernel {

class CellPainter {
  public:
    // Whether it can draw in that mode: 2, 3 or 4 bytes per pixel, room for the whole screen.
    static bool can(const FramebufferMode& mode);

    // The screen is as large as whole multiples of its size allow, in the middle.
    CellPainter(const FramebufferMode& mode, volatile std::uint8_t* pixels);
    // `inverse`: as the cursor shows it.
    void paint(std::size_t position, TextScreen::Cell cell, bool inverse);

  private:
    std::uint32_t pixel_of(unsigned colour) const;
    void put(volatile std::uint8_t* at, std::uint32_t pixel) const;

    FramebufferMode mode_;
    volatile std::uint8_t* origin_;  // of the first cell
    std::uint32_t scale_;
};

}  // namespace skep::kernel
