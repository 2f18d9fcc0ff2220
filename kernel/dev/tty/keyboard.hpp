// From a PS/2 keyboard's scan codes (set 1, as the i8042 translates them; US layout) to the bytes
// that a terminal's program reads. A pure state machine.
//
// Not here: lights, key repeat (the keyboard does it), other layouts.
#pragma once

#include <cstdint>
#include <string_view>

namespace skep::kernel {

class Keyboard {
  public:
    // What the key sends; empty for releases and modifiers. Valid until the next call.
    std::string_view scan(std::uint8_t code);

  private:
    bool shift_ = false, control_ = false, alt_ = false, caps_ = false;
    bool extended_ = false;  // after 0xe0
    std::uint8_t skip_ = 0;  // of the Pause key's sequence
    char buffer_[2];
};

}  // namespace skep::kernel
