// Text formatting without a heap: `{}` prints an argument (integers in decimal, addresses and Hex
// in hexadecimal), into anything that takes characters.
#pragma once

#include "hv/lib/types.hpp"

#include <concepts>
#include <string_view>

namespace skep::hv {

struct Hex {
    u64 value;
};

class Sink {
  public:
    virtual void put(char c) = 0;

  protected:
    ~Sink() = default;
};

inline void format_value(Sink& sink, std::string_view text) {
    for (char c : text)
        sink.put(c);
}
inline void format_value(Sink& sink, const char* text) {
    format_value(sink, std::string_view(text));
}

inline void format_digits(Sink& sink, u64 value, unsigned base) {
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    while (count != 0)
        sink.put(digits[--count]);
}

template <std::integral T>
void format_value(Sink& sink, T value) {
    if constexpr (std::signed_integral<T>) {
        if (value < 0) {
            sink.put('-');
            format_digits(sink, -static_cast<u64>(value), 10);
            return;
        }
    }
    format_digits(sink, static_cast<u64>(value), 10);
}
inline void format_value(Sink& sink, Hex hex) {
    format_value(sink, "0x");
    format_digits(sink, hex.value, 16);
}
template <class Address>
requires requires(Address a) {
    a.frame();
}
void format_value(Sink& sink, Address address) {
    format_value(sink, Hex{address.value});
}

inline void format(Sink& sink, std::string_view pattern) {
    format_value(sink, pattern);
}

template <class First, class... Rest>
void format(Sink& sink, std::string_view pattern, const First& first, const Rest&... rest) {
    const auto hole = pattern.find("{}");
    if (hole == std::string_view::npos) {
        format_value(sink, pattern);
        return;
    }
    format_value(sink, pattern.substr(0, hole));
    format_value(sink, first);
    format(sink, pattern.substr(hole + 2), rest...);
}

}  // namespace skep::hv
