#include <kernel/dev/tty/screen.hpp>

#include <kernel/dev/port_io.hpp>
#include <kernel/dev/tty/text_screen.hpp>
#include <kernel/mm/physical.hpp>

#include <new>
#include <optional>

namespace skep::kernel {

namespace {

// BIOS data area: the video mode, its columns and the port of its CRT controller.
constexpr std::uint64_t kVideoMode = 0x449, kVideoColumns = 0x44a, kCrtcPort = 0x463;
constexpr std::uint8_t kColourText = 3;
constexpr std::uint64_t kTextMemory = 0xb8000;
constexpr std::uint16_t kCrtc = 0x3d4;
constexpr std::uint8_t kCursorHigh = 0x0e, kCursorLow = 0x0f;

constexpr std::size_t kCells = TextScreen::kColumns * TextScreen::kRows;

SpinLock screen_lock{"screen"};
// Video memory is slow, to read above all: the picture is made here, and only what changed goes
// there.
TextScreen::Cell picture[kCells], shown[kCells];
volatile TextScreen::Cell* video;
std::optional<TextScreen> screen;

template <typename T>
T bios_data(std::uint64_t address) {
    T value;
    __builtin_memcpy(&value, direct_map(PhysAddr{address}), sizeof value);
    return value;
}

void move_cursor(std::size_t position) {
    out8(kCrtc, kCursorHigh);
    out8(kCrtc + 1, static_cast<std::uint8_t>(position >> 8));
    out8(kCrtc, kCursorLow);
    out8(kCrtc + 1, static_cast<std::uint8_t>(position));
}

void show() {
    for (std::size_t i = 0; i < kCells; i++)
        if (picture[i] != shown[i])
            video[i] = shown[i] = picture[i];
    move_cursor(screen->cursor());
}

}  // namespace

bool init_screen() {
    if (bios_data<std::uint8_t>(kVideoMode) != kColourText ||
        bios_data<std::uint16_t>(kVideoColumns) != TextScreen::kColumns ||
        bios_data<std::uint16_t>(kCrtcPort) != kCrtc)
        return false;
    SpinGuard guard(screen_lock);
    video = static_cast<volatile TextScreen::Cell*>(direct_map(PhysAddr{kTextMemory}));
    screen.emplace(std::span<TextScreen::Cell, kCells>(picture));
    screen->clear();
    show();
    return true;
}

void screen_write(std::span<const std::uint8_t> bytes) {
    if (!screen)
        return;
    SpinGuard guard(screen_lock);
    for (const std::uint8_t byte : bytes)
        screen->put(byte);
    show();
}

}  // namespace skep::kernel
