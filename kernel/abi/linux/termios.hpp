// Linux's struct termios (asm-generic/termbits.h) and the kernel's.
#pragma once

#include <kernel/dev/tty/termios.hpp>

#include <array>
#include <cstdint>

namespace skep::kernel::linux_abi {

struct LinuxTermios {
    std::uint32_t input, output, control, local;
    std::uint8_t line;
    std::array<std::uint8_t, 19> characters;
};
static_assert(sizeof(LinuxTermios) == 36);

struct LinuxTermios2 {
    LinuxTermios base;
    std::uint32_t input_speed, output_speed;
};
static_assert(sizeof(LinuxTermios2) == 44);

LinuxTermios to_linux(const Termios&);
// What Linux cannot say stays as it is in `old`.
Termios from_linux(const LinuxTermios&, const Termios& old);

}  // namespace skep::kernel::linux_abi
