#include <kernel/dev/tty/keyboard.hpp>

namespace skep::kernel {

namespace {

// By scan code 0x01..0x39, plain and with Shift. 0: no character.
constexpr char kPlain[] =
    "\0\x1b"
    "1234567890-=\x7f\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
constexpr char kShifted[] =
    "\0\x1b"
    "!@#$%^&*()_+\x7f\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
static_assert(sizeof kPlain == sizeof kShifted && sizeof kPlain == 0x3a + 1);

enum Code : std::uint8_t {
    kControl = 0x1d,
    kLeftShift = 0x2a,
    kRightShift = 0x36,
    kAlt = 0x38,
    kCapsLock = 0x3a,
    kKeypadFirst = 0x47,
    kKeypadLast = 0x53,
    kKeypadEnter = 0x1c,
    kKeypadSlash = 0x35,
    kReleased = 0x80,
    kExtended = 0xe0,
    kPause = 0xe1,
};

// 0x47..0x53, as a vt100 and xterm send them.
constexpr std::string_view kCursorKeys[] = {"\x1b[H",  "\x1b[A",  "\x1b[5~", "-",      "\x1b[D",
                                            "",        "\x1b[C",  "+",       "\x1b[F", "\x1b[B",
                                            "\x1b[6~", "\x1b[2~", "\x1b[3~"};

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

std::string_view Keyboard::scan(std::uint8_t code) {
    if (skip_) {
        skip_--;
        return {};
    }
    if (code == kExtended) {
        extended_ = true;
        return {};
    }
    if (code == kPause) {
        skip_ = 2;
        return {};
    }
    const bool extended = extended_, pressed = !(code & kReleased);
    extended_ = false;
    code &= static_cast<std::uint8_t>(~kReleased);
    switch (code) {
        case kControl:
            control_ = pressed;
            return {};
        case kAlt:
            alt_ = pressed;
            return {};
        case kLeftShift:
        case kRightShift:
            if (!extended)  // else a fake shift around the cursor keys
                shift_ = pressed;
            return {};
        case kCapsLock:
            caps_ ^= pressed;
            return {};
        default:
            break;
    }
    if (!pressed)
        return {};
    if (code >= kKeypadFirst && code <= kKeypadLast)
        return kCursorKeys[code - kKeypadFirst];
    if (code >= sizeof kPlain - 1 || (extended && code != kKeypadEnter && code != kKeypadSlash))
        return {};
    char c = (shift_ ? kShifted : kPlain)[code];
    if (!c)
        return {};
    if (caps_ && is_letter(c))
        c ^= 0x20;
    if (control_) {
        if (c == ' ')
            c = 0;
        else if ((c >= '@' && c <= '_') || (c >= 'a' && c <= 'z'))
            c &= 0x1f;
    }
    buffer_[0] = '\x1b';
    buffer_[1] = c;
    return alt_ ? std::string_view(buffer_, 2) : std::string_view(buffer_ + 1, 1);
}

}  // namespace skep::kernel
