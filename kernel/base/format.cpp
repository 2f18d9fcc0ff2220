#include <kernel/base/format.hpp>

namespace skep::kernel {

namespace {

class Output {
  public:
    explicit Output(std::span<char> buffer) : buffer_(buffer) {}
    void put(char c) {
        if (size_ < buffer_.size())
            buffer_[size_++] = c;
    }
    void put(std::string_view text) {
        for (char c : text)
            put(c);
    }
    void number(std::uint64_t value, unsigned base) {
        char digits[20];
        int n = 0;
        do {
            digits[n++] = "0123456789abcdef"[value % base];
            value /= base;
        } while (value);
        while (n)
            put(digits[--n]);
    }
    std::size_t size() const { return size_; }

  private:
    std::span<char> buffer_;
    std::size_t size_ = 0;
};

void put_argument(Output& out, const LogArgument& argument, bool hexadecimal) {
    switch (argument.kind) {
        case LogArgument::Text:
            out.put(argument.text);
            return;
        case LogArgument::Pointer:
            out.put("0x");
            out.number(argument.number, 16);
            return;
        case LogArgument::Signed:
            if (!hexadecimal && static_cast<std::int64_t>(argument.number) < 0) {
                out.put('-');
                out.number(-argument.number, 10);
                return;
            }
            [[fallthrough]];
        case LogArgument::Unsigned:
            out.number(argument.number, hexadecimal ? 16 : 10);
            return;
    }
}

}  // namespace

std::size_t format_arguments(std::span<char> buffer, std::string_view format,
                             const LogArgument* arguments, unsigned count) {
    Output out(buffer);
    unsigned next = 0;
    while (!format.empty()) {
        const bool plain = format.starts_with("{}"), hexadecimal = format.starts_with("{:x}");
        if (plain || hexadecimal) {
            if (next < count)
                put_argument(out, arguments[next++], hexadecimal);
            else
                out.put("{?}");
            format.remove_prefix(plain ? 2 : 4);
        } else {
            out.put(format.front());
            format.remove_prefix(1);
        }
    }
    return out.size();
}

}  // namespace skep::kernel
