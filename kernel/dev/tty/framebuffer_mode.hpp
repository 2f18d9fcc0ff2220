// A linear framebuffer as the boot loader left it (Multiboot2 specification 2.0, 3.6.12, RGB).
#pragma once

#include <kernel/mm/physical.hpp>

#include <cstdint>

namespace skep::kernel {

struct FramebufferMode {
    struct Channel {
        std::uint8_t position, size;  // in a pixel, in bits
    };
    PhysAddr address;
    std::uint32_t pitch;          // bytes from a row to the next one
    std::uint32_t width, height;  // pixels
    std::uint8_t pixel_size;      // bytes
    Channel red, green, blue;
};

}  // namespace skep::kernel
