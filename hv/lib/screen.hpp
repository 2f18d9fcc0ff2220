// The log on the screen, where the loader has left a VGA text mode (Multiboot2 specification,
// 3.6.12, type 2): until the root domain starts, and again from a panic on. In a graphical mode,
// as UEFI has it, the log is on the serial port alone.
#pragma once

#include "hv/lib/types.hpp"

namespace skep::hv {

class TextScreen {
  public:
    // `cells` is 16 bits a character. Clears the screen.
    void open(volatile u16* cells, u32 columns, u32 rows);
    void show(bool on) { shown_ = on; }
    void put(char c);

  private:
    void new_line();

    volatile u16* cells_ = nullptr;
    u32 columns_ = 0, rows_ = 0, column_ = 0, row_ = 0;
    bool shown_ = false;
};

TextScreen& text_screen();

}  // namespace skep::hv
