#include <kernel/dev/tty/text_screen.hpp>

#include <algorithm>

namespace skep::kernel {

namespace {
constexpr std::uint8_t kBell = 7, kBackspace = 8, kTab = 9, kLineFeed = 10, kReturn = 13,
                       kEscape = 27;
constexpr std::size_t kTabStop = 8;
constexpr std::uint8_t kBright = 8;
// ANSI counts colours red first, VGA blue first.
constexpr std::uint8_t kVgaColour[] = {0, 4, 2, 6, 1, 5, 3, 7};
}  // namespace

void TextScreen::erase(std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; i++)
        cells_[i] = static_cast<Cell>(attribute_ << 8 | ' ');
}

void TextScreen::clear() {
    erase(0, cells_.size());
    row_ = column_ = 0;
    wrap_ = false;
}

void TextScreen::line_feed() {
    if (row_ + 1 < kRows) {
        row_++;
        return;
    }
    for (std::size_t i = 0; i < cells_.size() - kColumns; i++)
        cells_[i] = cells_[i + kColumns];
    erase(cells_.size() - kColumns, cells_.size());
}

void TextScreen::show(std::uint8_t character) {
    if (wrap_) {
        column_ = 0;
        line_feed();
        wrap_ = false;
    }
    cells_[cursor()] = static_cast<Cell>(attribute_ << 8 | character);
    if (column_ + 1 < kColumns)
        column_++;
    else
        wrap_ = true;
}

void TextScreen::put(std::uint8_t byte) {
    if (state_ == State::Escape) {
        state_ = State::Text;
        if (byte == '[') {
            state_ = State::Control;
            private_ = false;
            count_ = 1;
            std::fill_n(parameters_, kParameters, std::uint16_t{0});
        } else if (byte == 'c') {
            attribute_ = kPlain;
            clear();
        }
        return;
    }
    if (state_ == State::Control) {
        if (byte >= '0' && byte <= '9') {
            std::uint16_t& last = parameters_[count_ - 1];
            last = static_cast<std::uint16_t>(std::min(last * 10 + (byte - '0'), 9999));
        } else if (byte == ';') {
            count_ = std::min(count_ + 1, kParameters);
        } else if (byte == '?') {
            private_ = true;
        } else if (byte >= 0x40 && byte <= 0x7e) {
            state_ = State::Text;
            if (!private_)
                control(byte);
        } else if (byte == kEscape) {
            state_ = State::Escape;
        }
        return;
    }
    switch (byte) {
        case kEscape:
            state_ = State::Escape;
            return;
        case kBell:
            return;
        case kReturn:
            column_ = 0;
            break;
        case kLineFeed:
            line_feed();
            break;
        case kBackspace:
            column_ -= column_ > 0;
            break;
        case kTab:
            column_ = std::min(column_ / kTabStop * kTabStop + kTabStop, kColumns - 1);
            break;
        default:
            if (byte >= ' ' && byte < 0x7f)
                show(byte);
            else if (byte >= 0xc0)
                show('?');  // the start of a UTF-8 sequence; the rest shows nothing
            return;
    }
    wrap_ = false;
}

void TextScreen::control(std::uint8_t final) {
    const std::size_t amount = parameter(0, 1);
    switch (final) {
        case 'A':
            row_ -= std::min(amount, row_);
            break;
        case 'B':
            row_ = std::min(row_ + amount, kRows - 1);
            break;
        case 'C':
            column_ = std::min(column_ + amount, kColumns - 1);
            break;
        case 'D':
            column_ -= std::min(amount, column_);
            break;
        case 'G':
            column_ = std::min(amount, kColumns) - 1;
            break;
        case 'H':
        case 'f':
            row_ = std::min(amount, kRows) - 1;
            column_ = std::min(parameter(1, 1), kColumns) - 1;
            break;
        case 'J':
            if (parameter(0, 0) == 0)
                erase(cursor(), cells_.size());
            else
                erase(0, parameters_[0] == 1 ? cursor() + 1 : cells_.size());
            break;
        case 'K': {
            const std::size_t start = row_ * kColumns;
            erase(parameter(0, 0) == 0 ? cursor() : start,
                  parameters_[0] == 1 ? cursor() + 1 : start + kColumns);
            break;
        }
        case 'm':
            colours();
            return;
        default:
            return;
    }
    wrap_ = false;
}

// SGR: ECMA-48, 8.3.117.
void TextScreen::colours() {
    for (std::size_t i = 0; i < count_; i++) {
        const std::uint16_t n = parameters_[i];
        if (n == 0)
            attribute_ = kPlain;
        else if (n == 1)
            attribute_ |= kBright;
        else if (n == 22)
            attribute_ &= static_cast<std::uint8_t>(~kBright);
        else if (n == 7 || n == 27)
            attribute_ = static_cast<std::uint8_t>(n == 7 ? 0x70 : kPlain);
        else if (n >= 30 && n <= 37)
            attribute_ = static_cast<std::uint8_t>((attribute_ & 0xf8) | kVgaColour[n - 30]);
        else if (n == 39)
            attribute_ = static_cast<std::uint8_t>((attribute_ & 0xf8) | (kPlain & 7));
        else if (n >= 40 && n <= 47)
            attribute_ = static_cast<std::uint8_t>((attribute_ & 0x8f) | kVgaColour[n - 40] << 4);
        else if (n == 49)
            attribute_ &= 0x8f;
    }
}

}  // namespace skep::kernel
