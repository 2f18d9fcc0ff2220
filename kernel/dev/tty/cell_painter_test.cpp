#include <kernel/dev/tty/cell_painter.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace skep::kernel {
namespace {

FramebufferMode mode_of(std::uint32_t width, std::uint32_t height, std::uint8_t pixel_size) {
    if (pixel_size == 2)
        return {{}, width * 2, width, height, 2, {11, 5}, {5, 6}, {0, 5}};
    return {{}, width * pixel_size + 64, width, height, pixel_size, {16, 8}, {8, 8}, {0, 8}};
}

class Picture {
  public:
    explicit Picture(const FramebufferMode& mode)
        : mode_(mode),
          bytes_(std::size_t{mode.pitch} * mode.height),
          painter_(mode, bytes_.data()) {}
    CellPainter& painter() { return painter_; }
    std::uint32_t pixel(std::uint32_t x, std::uint32_t y) const {
        std::uint32_t value = 0;
        for (unsigned i = 0; i < mode_.pixel_size; i++)
            value |= std::uint32_t{bytes_[y * mode_.pitch + x * mode_.pixel_size + i]} << 8 * i;
        return value;
    }
    // The pixels that differ from nothing's.
    std::size_t touched() const {
        std::size_t count = 0;
        for (std::uint32_t y = 0; y < mode_.height; y++)
            for (std::uint32_t x = 0; x < mode_.width; x++)
                count += pixel(x, y) != 0;
        return count;
    }

  private:
    FramebufferMode mode_;
    std::vector<std::uint8_t> bytes_;
    CellPainter painter_;
};

constexpr TextScreen::Cell cell(unsigned attribute, char character) {
    return static_cast<TextScreen::Cell>(attribute << 8 | static_cast<unsigned char>(character));
}

TEST(CellPainter, DrawsAGlyphInItsCell) {
    for (const std::uint8_t size : {std::uint8_t{3}, std::uint8_t{4}}) {
        Picture picture(mode_of(640, 400, size));
        picture.painter().paint(81, cell(0x0c, '|'), false);  // second row, second column
        const std::size_t ink = picture.touched();
        EXPECT_GT(ink, 8u);
        EXPECT_LT(ink, 32u);
        std::size_t in_cell = 0;
        for (std::uint32_t y = 16; y < 32; y++)
            for (std::uint32_t x = 8; x < 16; x++)
                in_cell += picture.pixel(x, y) == 0xff5555;  // bright red
        EXPECT_EQ(in_cell, ink);
    }
}

TEST(CellPainter, CursorIsTheInverse) {
    Picture picture(mode_of(640, 400, 4));
    picture.painter().paint(0, cell(0x07, ' '), true);
    EXPECT_EQ(picture.touched(), 8u * 16);
    EXPECT_EQ(picture.pixel(0, 0), 0xaaaaaau);
    picture.painter().paint(0, cell(0x07, ' '), false);
    EXPECT_EQ(picture.touched(), 0u);
}

TEST(CellPainter, GrowsByWholeMultiplesInTheMiddle) {
    Picture picture(mode_of(1400, 900, 4));  // twice, 60 pixels left and 50 above
    picture.painter().paint(0, cell(0x10, ' '), false);
    EXPECT_EQ(picture.touched(), 16u * 32);
    EXPECT_EQ(picture.pixel(60, 50), 0x0000aau);
    EXPECT_EQ(picture.pixel(59, 50), 0u);
    EXPECT_EQ(picture.pixel(60, 49), 0u);
    picture.painter().paint(TextScreen::kColumns * TextScreen::kRows - 1, cell(0x20, ' '), false);
    EXPECT_EQ(picture.pixel(1339, 849), 0x00aa00u);
    EXPECT_EQ(picture.pixel(1340, 849), 0u);
    EXPECT_EQ(picture.pixel(1339, 850), 0u);
}

TEST(CellPainter, ColoursAreVgas) {
    Picture picture(mode_of(640, 400, 2));
    picture.painter().paint(0, cell(0xf0, ' '), false);
    EXPECT_EQ(picture.pixel(0, 0), 0xffffu);  // 5, 6 and 5 bits
    Picture wide(mode_of(640, 400, 4));
    wide.painter().paint(0, cell(0x60, ' '), false);
    EXPECT_EQ(wide.pixel(0, 0), 0xaa5500u);  // brown
    wide.painter().paint(0, cell(0xe0, ' '), false);
    EXPECT_EQ(wide.pixel(0, 0), 0xffff55u);
}

TEST(CellPainter, RefusesWhatItCannotDraw) {
    EXPECT_TRUE(CellPainter::can(mode_of(640, 400, 4)));
    EXPECT_FALSE(CellPainter::can(mode_of(639, 400, 4)));
    EXPECT_FALSE(CellPainter::can(mode_of(640, 399, 4)));
    EXPECT_FALSE(CellPainter::can(mode_of(640, 400, 1)));
    FramebufferMode mode = mode_of(640, 400, 4);
    mode.pitch = 639 * 4;
    EXPECT_FALSE(CellPainter::can(mode));
    mode = mode_of(640, 400, 4);
    mode.green = {28, 8};
    EXPECT_FALSE(CellPainter::can(mode));
    mode.green = {8, 0};
    EXPECT_FALSE(CellPainter::can(mode));
}

}  // namespace
}  // namespace skep::kernel
