#include "hv/lib/screen.hpp"

#include "hv/lib/font.hpp"

namespace skep::hv {

namespace {
constexpr u16 kLightGrey = 0x0700;    // on black
constexpr u8 kLightGreyLevel = 0xaa;  // of each colour
constexpr u32 kLightGreyPixel = kLightGreyLevel * 0x1'0101;
}  // namespace

TextScreen& text_screen() {
    static constinit TextScreen screen;
    return screen;
}

void TextScreen::open(volatile u16* cells, u32 columns, u32 rows) {
    cells_ = cells;
    columns_ = columns;
    rows_ = rows;
    for (u32 row = 0; row < rows; ++row)
        clear_row(row);
    shown_ = true;
}

void TextScreen::open(volatile u8* pixels, u32 pixel, u32 pitch, u32 width, u32 height) {
    pixels_ = pixels;
    pixel_ = pixel;
    pitch_ = pitch;
    open(nullptr, width / kCellWidth, height / kCellHeight);
}

void TextScreen::draw(u32 column, u32 row, char c) const {
    if (cells_ != nullptr) {
        cells_[row * columns_ + column] = static_cast<u16>(kLightGrey | static_cast<u8>(c));
        return;
    }
    for (u32 y = 0; y < kCellHeight; ++y) {
        volatile u8* at = pixels_ + (row * kCellHeight + y) * pitch_ + column * kCellWidth * pixel_;
        for (u32 x = 0; x < kCellWidth; ++x, at += pixel_) {
            const bool set = glyph_dot(c, x, y);
            if (pixel_ == sizeof(u32))
                *reinterpret_cast<volatile u32*>(at) = set ? kLightGreyPixel : 0;
            else
                for (u32 i = 0; i < pixel_; ++i)
                    at[i] = set ? kLightGreyLevel : 0;
        }
    }
}

void TextScreen::clear_row(u32 row) const {
    for (u32 column = 0; column < columns_; ++column)
        draw(column, row, ' ');
}

void TextScreen::new_line() {
    column_ = 0;
    ++row_;
    if (cells_ == nullptr) {
        row_ %= rows_;
        clear_row(row_);
        clear_row((row_ + 1) % rows_);
        return;
    }
    if (row_ < rows_)
        return;
    row_ = rows_ - 1;
    for (u32 i = 0; i < columns_ * row_; ++i)
        cells_[i] = cells_[i + columns_];
    clear_row(row_);
}

void TextScreen::put(char c) {
    if (!shown_)
        return;
    if (c == '\n')
        return new_line();
    if (column_ == columns_)
        new_line();
    draw(column_++, row_, c);
}

}  // namespace skep::hv
