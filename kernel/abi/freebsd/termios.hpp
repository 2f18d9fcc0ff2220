// struct termios: sys/_termios.h. The kernel's numbers are FreeBSD's.
#pragma once

#include <kernel/dev/tty/termios.hpp>

#include <array>
#include <cstdint>

namespace skep::kernel::freebsd_abi {

struct BsdTermios {
    std::uint32_t input, output, control, local;
    std::array<std::uint8_t, kControlCharacters> characters;
    std::uint32_t input_speed, output_speed;
};
static_assert(sizeof(BsdTermios) == 44);

constexpr BsdTermios to_bsd(const Termios& t) {
    return {t.input, t.output, t.control, t.local, t.characters, t.input_speed, t.output_speed};
}
constexpr Termios from_bsd(const BsdTermios& t) {
    return {t.input, t.output, t.control, t.local, t.characters, t.input_speed, t.output_speed};
}

}  // namespace skep::kernel::freebsd_abi
