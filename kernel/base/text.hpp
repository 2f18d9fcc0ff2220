// An owned string whose allocation can fail.
#pragma once

#include <kernel/base/vector.hpp>

#include <cstring>
#include <string_view>

namespace skep::kernel {

class Text {
  public:
    Text() = default;
    static Result<Text> copy(std::string_view from) { return join(from, {}, {}); }
    static Result<Text> join(std::string_view a, std::string_view b, std::string_view c) {
        Text text;
        SKEP_TRY(text.characters_.resize(a.size() + b.size() + c.size()));
        char* to = text.characters_.data();
        for (std::string_view part : {a, b, c})
            for (char character : part)
                *to++ = character;
        return text;
    }
    std::string_view view() const { return {characters_.data(), characters_.size()}; }

  private:
    Vector<char> characters_;
};

}  // namespace skep::kernel
