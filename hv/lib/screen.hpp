// The log on the screen, where the loader has left a VGA text mode or a graphical one of 24 or 32
// bits a pixel, as UEFI has it (Multiboot2 specification, 3.6.12): until the root domain starts,
// and again from a panic on.
#pragma once

#include "hv/lib/types.hpp"

namespace skep::hv {

class TextScreen {
  public:
    // `cells` is 16 bits a character. Clears the screen.
    void open(volatile u16* cells, u32 columns, u32 rows);
    // `pitch`: bytes from one line to the next; `pixel`: 3 or 4 of them. There a full screen goes
    // on at its top, with a blank line ahead: memory of a graphics card is slow to read.
    void open(volatile u8* pixels, u32 pixel, u32 pitch, u32 width, u32 height);
    void show(bool on) { shown_ = on; }
    void put(char c);

  private:
    void new_line();
    void draw(u32 column, u32 row, char c) const;
    void clear_row(u32 row) const;

    volatile u16* cells_ = nullptr;
    volatile u8* pixels_ = nullptr;
    u32 pixel_ = 0, pitch_ = 0;
    u32 columns_ = 0, rows_ = 0, column_ = 0, row_ = 0;
    bool shown_ = false;
};

TextScreen& text_screen();

}  // namespace skep::hv
