// A terminal's picture as VGA text memory has it (mode 3, 80 x 25): what programs that believe in a
// vt100 print. A pure state machine on a span of cells; the owner locks and brings the picture to
// the hardware.
//
// Not here: scrolling regions, inserted and deleted lines, other character sets. A byte that is not
// ASCII shows as '?', a UTF-8 sequence as one.
#pragma once

#include <cstdint>
#include <span>

namespace skep::kernel {

class TextScreen {
  public:
    static constexpr std::size_t kColumns = 80, kRows = 25;
    // Character in the low byte, attribute (background, foreground) in the high one: VGA's text
    // mode.
    using Cell = std::uint16_t;
    static constexpr std::size_t kCells = kColumns * kRows;
    using Picture = std::span<Cell, kCells>;

    explicit constexpr TextScreen(Picture cells) : cells_(cells) {}
    void clear();
    void put(std::uint8_t byte);
    std::size_t cursor() const { return row_ * kColumns + column_; }

  private:
    enum class State : std::uint8_t {
        Text,
        Escape,
        Control
    };
    static constexpr std::size_t kParameters = 8;
    static constexpr std::uint8_t kPlain = 0x07;

    void show(std::uint8_t character);
    void line_feed();
    void erase(std::size_t from, std::size_t to);  // cells
    void control(std::uint8_t final);
    void colours();
    std::size_t parameter(std::size_t index, std::size_t otherwise) const {
        return index < count_ && parameters_[index] ? parameters_[index] : otherwise;
    }

    Picture cells_;
    std::size_t row_ = 0, column_ = 0;
    bool wrap_ = false;  // the last column was written: the next character goes to the next line
    std::uint8_t attribute_ = kPlain;
    State state_ = State::Text;
    bool private_ = false;
    std::uint16_t parameters_[kParameters]{};
    std::size_t count_ = 0;
};

}  // namespace skep::kernel
