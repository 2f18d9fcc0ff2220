#include <kernel/dev/tty/vga_text.hpp>

#include <kernel/dev/port_io.hpp>
#include <kernel/mm/physical.hpp>

#include <optional>

namespace skep::kernel {

namespace {

// BIOS data area: the video mode, its columns and the port of its CRT controller.
constexpr std::uint64_t kVideoMode = 0x449, kVideoColumns = 0x44a, kCrtcPort = 0x463;
constexpr std::uint8_t kColourText = 3;
constexpr std::uint64_t kTextMemory = 0xb8000;
constexpr std::uint16_t kCrtc = 0x3d4;
constexpr std::uint8_t kCursorHigh = 0x0e, kCursorLow = 0x0f;

template <typename T>
T bios_data(std::uint64_t address) {
    T value;
    __builtin_memcpy(&value, direct_map(PhysAddr{address}), sizeof value);
    return value;
}

class VgaText final : public Display {
  public:
    explicit VgaText(TextScreen::Picture picture)
        : picture_(picture),
          video_(static_cast<volatile TextScreen::Cell*>(direct_map(PhysAddr{kTextMemory}))) {}

    void draw(std::size_t position) override { video_[position] = picture_[position]; }
    void move_cursor(std::size_t position) override {
        out8(kCrtc, kCursorHigh);
        out8(kCrtc + 1, static_cast<std::uint8_t>(position >> 8));
        out8(kCrtc, kCursorLow);
        out8(kCrtc + 1, static_cast<std::uint8_t>(position));
    }

  private:
    TextScreen::Picture picture_;
    volatile TextScreen::Cell* video_;
};

std::optional<VgaText> the_one;

}  // namespace

Display* open_vga_text(TextScreen::Picture picture) {
    if (bios_data<std::uint8_t>(kVideoMode) != kColourText ||
        bios_data<std::uint16_t>(kVideoColumns) != TextScreen::kColumns ||
        bios_data<std::uint16_t>(kCrtcPort) != kCrtc)
        return nullptr;
    return &the_one.emplace(picture);
}

}  // namespace skep::kernel
