// Text that grows: what a /proc file shows.
#pragma once

#include <kernel/base/format.hpp>
#include <kernel/base/vector.hpp>

#include <array>

namespace skep::kernel {

class TextBuilder {
  public:
    Result<> append(std::string_view text) {
        SKEP_TRY(characters_.reserve(characters_.size() + text.size()));
        for (char c : text)
            SKEP_TRY(characters_.push_back(c));
        return {};
    }
    // One piece of at most 256 characters, as log() formats it.
    template <typename... A>
    Result<> format(std::string_view pattern, const A&... a) {
        std::array<char, 256> buffer;
        return append(format_to(buffer, pattern, a...));
    }
    // A number right-aligned in spaces, or in zeros.
    Result<> pad(std::uint64_t number, std::size_t width, char fill = ' ',
                 bool hexadecimal = false) {
        std::array<char, 24> digits;
        const std::string_view text =
            hexadecimal ? format_to(digits, "{:x}", number) : format_to(digits, "{}", number);
        std::string_view shown = text.starts_with("0x") ? text.substr(2) : text;
        for (std::size_t i = shown.size(); i < width; i++)
            SKEP_TRY(characters_.push_back(fill));
        return append(shown);
    }
    std::string_view view() const { return {characters_.data(), characters_.size()}; }

  private:
    Vector<char> characters_;
};

}  // namespace skep::kernel
