#include "hv/lib/screen.hpp"

namespace skep::hv {

namespace {
constexpr u16 kLightGrey = 0x0700;  // on black
}

TextScreen& text_screen() {
    static constinit TextScreen screen;
    return screen;
}

void TextScreen::open(volatile u16* cells, u32 columns, u32 rows) {
    cells_ = cells;
    columns_ = columns;
    rows_ = rows;
    column_ = row_ = 0;
    for (u32 i = 0; i < columns * rows; ++i)
        cells[i] = kLightGrey | ' ';
    shown_ = true;
}

void TextScreen::new_line() {
    column_ = 0;
    if (++row_ < rows_)
        return;
    row_ = rows_ - 1;
    const u32 last = columns_ * row_;
    for (u32 i = 0; i < last; ++i)
        cells_[i] = cells_[i + columns_];
    for (u32 i = 0; i < columns_; ++i)
        cells_[last + i] = kLightGrey | ' ';
}

void TextScreen::put(char c) {
    if (!shown_ || cells_ == nullptr)
        return;
    if (c == '\n')
        return new_line();
    if (column_ == columns_)
        new_line();
    cells_[row_ * columns_ + column_++] = static_cast<u16>(kLightGrey | static_cast<u8>(c));
}

}  // namespace skep::hv
