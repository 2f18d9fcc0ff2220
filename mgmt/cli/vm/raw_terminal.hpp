// A terminal that hands on every key as it is typed, until the object goes.
#pragma once

#include <termios.h>
#include <unistd.h>

namespace skep::mgmt::cli {

class RawTerminal {
  public:
    explicit RawTerminal(int fd) : fd_(fd) {
        if (::tcgetattr(fd_, &before_) != 0)
            return;
        auto raw = before_;
        ::cfmakeraw(&raw);
        active_ = ::tcsetattr(fd_, TCSANOW, &raw) == 0;
    }
    ~RawTerminal() {
        if (active_)
            ::tcsetattr(fd_, TCSANOW, &before_);
    }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;

  private:
    int fd_;
    bool active_ = false;
    termios before_{};
};

}  // namespace skep::mgmt::cli
