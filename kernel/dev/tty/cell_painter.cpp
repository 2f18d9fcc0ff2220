#include <kernel/dev/tty/cell_painter.hpp>

#include <kernel/dev/tty/font.hpp>

#include <algorithm>

namespace skep::kernel {

namespace {

constexpr std::uint32_t kWidth = TextScreen::kColumns * kFontColumns,
                        kHeight = TextScreen::kRows * kFontRows;
// VGA's colours: a bit each of blue, green, red, and one that makes all brighter; dark yellow is
// brown.
constexpr unsigned kBlue = 1, kGreen = 2, kRed = 4, kBright = 8, kBrown = kRed | kGreen;
constexpr std::uint32_t kOn = 0xaa, kBrighter = 0x55;

std::uint32_t channel(std::uint32_t value, FramebufferMode::Channel in) {
    return value >> (8 - in.size) << in.position;
}

bool fits(FramebufferMode::Channel in, unsigned pixel_bits) {
    return in.size >= 1 && in.size <= 8 && in.position + in.size <= pixel_bits;
}

}  // namespace

bool CellPainter::can(const FramebufferMode& mode) {
    const unsigned bits = mode.pixel_size * 8u;
    return mode.pixel_size >= 2 && mode.pixel_size <= 4 && fits(mode.red, bits) &&
           fits(mode.green, bits) && fits(mode.blue, bits) && mode.width >= kWidth &&
           mode.height >= kHeight && mode.pitch / mode.pixel_size >= mode.width;
}

CellPainter::CellPainter(const FramebufferMode& mode, volatile std::uint8_t* pixels)
    : mode_(mode), scale_(std::min(mode.width / kWidth, mode.height / kHeight)) {
    const std::uint32_t left = (mode.width - kWidth * scale_) / 2,
                        top = (mode.height - kHeight * scale_) / 2;
    origin_ = pixels + std::size_t{top} * mode.pitch + std::size_t{left} * mode.pixel_size;
}

std::uint32_t CellPainter::pixel_of(unsigned colour) const {
    const std::uint32_t more = colour & kBright ? kBrighter : 0;
    const std::uint32_t red = (colour & kRed ? kOn : 0) + more,
                        green = colour == kBrown ? kBrighter : (colour & kGreen ? kOn : 0) + more,
                        blue = (colour & kBlue ? kOn : 0) + more;
    return channel(red, mode_.red) | channel(green, mode_.green) | channel(blue, mode_.blue);
}

void CellPainter::put(volatile std::uint8_t* at, std::uint32_t pixel) const {
    if (mode_.pixel_size == 4) {
        *reinterpret_cast<volatile std::uint32_t*>(at) = pixel;
        return;
    }
    for (unsigned i = 0; i < mode_.pixel_size; i++)
        at[i] = static_cast<std::uint8_t>(pixel >> 8 * i);
}

void CellPainter::paint(std::size_t position, TextScreen::Cell cell, bool inverse) {
    const unsigned character = cell & 0xff, attribute = cell >> 8;
    std::uint32_t ink = pixel_of(attribute & 0xf), paper = pixel_of(attribute >> 4);
    if (inverse)
        std::swap(ink, paper);
    const std::uint8_t* glyph =
        kFont[character >= kFontFirst && character <= kFontLast ? character - kFontFirst : 0];
    volatile std::uint8_t* line =
        origin_ + position / TextScreen::kColumns * kFontRows * scale_ * mode_.pitch +
        position % TextScreen::kColumns * kFontColumns * scale_ * mode_.pixel_size;
    for (std::uint32_t y = 0; y < kFontRows * scale_; y++, line += mode_.pitch) {
        volatile std::uint8_t* at = line;
        for (std::uint32_t x = 0; x < kFontColumns * scale_; x++, at += mode_.pixel_size)
            put(at, glyph[y / scale_] >> (kFontColumns - 1 - x / scale_) & 1 ? ink : paper);
    }
}

}  // namespace skep::kernel
