// Looks for a text in output that comes in pieces.
#pragma once

#include <string>
#include <string_view>

namespace skep::mgmt::cli {

class Until {
  public:
    explicit Until(std::string text) : text_(std::move(text)) {}

    // How much of the piece there is up to and with the end of the text; npos: not found yet.
    std::size_t feed(std::string_view piece) {
        if (text_.empty())
            return std::string::npos;
        auto kept = tail_.size();
        tail_ += piece;
        auto found = tail_.find(text_);
        if (found != std::string::npos)
            return found + text_.size() - kept;
        // Only what may be the beginning of a match is carried over.
        if (tail_.size() >= text_.size())
            tail_.erase(0, tail_.size() - (text_.size() - 1));
        return std::string::npos;
    }

  private:
    std::string text_, tail_;
};

}  // namespace skep::mgmt::cli
