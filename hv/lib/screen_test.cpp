#include "hv/lib/screen.hpp"

#include "hv/lib/font.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace skep::hv {
namespace {

constexpr u32 kColumns = 8, kRows = 3, kRest = 5;  // pixels of no cell at both edges

// Of a pixel's size in bytes.
class ScreenTest : public testing::TestWithParam<u32> {
  protected:
    ScreenTest() { screen.open(memory.data(), GetParam(), kPitch, kWidth, kHeight); }
    void put(std::string_view text) {
        for (const char c : text)
            screen.put(c);
    }
    u32 pixel(u32 x, u32 y) const {
        u32 value = 0;
        for (u32 i = 0; i < 3; ++i)
            value |= u32{memory[y * kPitch + x * GetParam() + i]} << 8 * i;
        return value;
    }
    char cell(u32 column, u32 row) const {
        for (char c = kFirstGlyph; c <= kLastGlyph; ++c) {
            bool same = true;
            for (u32 i = 0; i < kCellWidth * kCellHeight; ++i) {
                const u32 x = i % kCellWidth, y = i / kCellWidth;
                same &= pixel(column * kCellWidth + x, row * kCellHeight + y) ==
                        (glyph_dot(c, x, y) ? 0xaa'aaaau : 0);
            }
            if (same)
                return c;
        }
        return '\0';
    }
    std::string line(u32 row) const {
        std::string text;
        for (u32 column = 0; column < kColumns; ++column)
            text += cell(column, row);
        return text;
    }

    static constexpr u32 kWidth = kColumns * kCellWidth + kRest,
                         kHeight = kRows * kCellHeight + kRest, kPitch = kWidth * 4 + 8;
    std::vector<u8> memory = std::vector<u8>(kPitch * kHeight, 0x55);
    TextScreen screen;
};

TEST_P(ScreenTest, DrawsLettersAndNothingElse) {
    put("Skep 24!\nwraps at the edge");
    EXPECT_EQ(line(0), "e       ") << "a full screen goes on at its top";
    EXPECT_EQ(line(1), "        ");
    EXPECT_EQ(line(2), " the edg");
    for (u32 y = 0; y < kHeight; ++y) {
        const u32 drawn = y < kRows * kCellHeight ? kColumns * kCellWidth * GetParam() : 0;
        for (u32 at = drawn; at < kPitch; ++at)
            ASSERT_EQ(memory[y * kPitch + at], 0x55) << at << " of line " << y;
    }
    screen.show(false);
    put("unseen");
    EXPECT_EQ(line(0), "e       ");
}

INSTANTIATE_TEST_SUITE_P(PixelSizes, ScreenTest, testing::Values(3u, 4u));

}  // namespace
}  // namespace skep::hv
