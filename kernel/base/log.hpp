// The kernel's log on the console, and panic. Format: {} for integers (any width, signed or not),
// bool, C strings, std::string_view, pointers; {:x} hexadecimal.
#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace skep::kernel {

struct LogArgument {
    enum Kind : std::uint8_t {
        Unsigned,
        Signed,
        Text,
        Pointer
    } kind;
    union {
        std::uint64_t number;
        std::string_view text;
    };
    constexpr LogArgument(const char* s) : kind(Text), text(s ? s : "(null)") {}
    constexpr LogArgument(std::string_view s) : kind(Text), text(s) {}
    constexpr LogArgument(bool b) : kind(Text), text(b ? "true" : "false") {}
    LogArgument(const void* p) : kind(Pointer), number(reinterpret_cast<std::uint64_t>(p)) {}
    template <typename T>
    requires std::is_integral_v<T> || std::is_enum_v<T>
    constexpr LogArgument(T value)
        : kind(std::is_signed_v<T> ? Signed : Unsigned),
          number(static_cast<std::uint64_t>(value)) {}
};

void log_line(std::string_view format, const LogArgument* arguments, unsigned count);
[[noreturn]] void panic_line(std::string_view format, const LogArgument* arguments, unsigned count);

// While one lives, lines of the log wait: their port is sending what a program wrote, and no line
// is to end up inside of another.
class LogHold {
  public:
    LogHold();
    ~LogHold();
    LogHold(const LogHold&) = delete;
    LogHold& operator=(const LogHold&) = delete;
};

// log("e1000: link up, {} Mbit/s", speed): one line, newline added.
template <typename... A>
void log(std::string_view format, const A&... a) {
    const LogArgument arguments[sizeof...(A) + 1] = {LogArgument(a)..., LogArgument("")};
    log_line(format, arguments, sizeof...(A));
}
template <typename... A>
[[noreturn]] void panic(std::string_view format, const A&... a) {
    const LogArgument arguments[sizeof...(A) + 1] = {LogArgument(a)..., LogArgument("")};
    panic_line(format, arguments, sizeof...(A));
}

}  // namespace skep::kernel
