#include "hv/lib/screen.hpp"

#include "hv/lib/font.hpp"

namespace skep::hv {

namespace {
constexpr u16 kLightGrey = 0x0700;  // on black
constexpr u32 kLightGreyPixel = 0xaa'aaaa;
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

void TextScreen::open(volatile u32* pixels, u32 stride, u32 width, u32 height) {
    pixels_ = pixels;
    stride_ = stride;
    open(nullptr, width / kCellWidth, height / kCellHeight);
}

void TextScreen::draw(u32 column, u32 row, char c) const {
    if (cells_ != nullptr) {
        cells_[row * columns_ + column] = static_cast<u16>(kLightGrey | static_cast<u8>(c));
        return;
    }
    for (u32 y = 0; y < kCellHeight; ++y) {
        volatile u32* line = pixels_ + (row * kCellHeight + y) * stride_ + column * kCellWidth;
        for (u32 x = 0; x < kCellWidth; ++x)
            line[x] = glyph_dot(c, x, y) ? kLightGreyPixel : 0;
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
