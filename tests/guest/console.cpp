#include "tests/guest/console.hpp"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <array>

namespace skep::guest {

Console::Console() {
    termios settings{};
    if (::tcgetattr(STDIN_FILENO, &settings) == 0) {
        settings.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        ::tcsetattr(STDIN_FILENO, TCSANOW, &settings);
    }
}

std::optional<std::string> Console::line(int timeout_ms) {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    if (pending_.find('\n') == std::string::npos && ::poll(&input, 1, timeout_ms) == 1) {
        std::array<char, 256> bytes{};
        const ssize_t got = ::read(STDIN_FILENO, bytes.data(), bytes.size());
        if (got > 0) {
            pending_.append(bytes.data(), static_cast<size_t>(got));
        }
    }
    const size_t end = pending_.find('\n');
    if (end == std::string::npos) {
        return std::nullopt;
    }
    std::string result = pending_.substr(0, end);
    pending_.erase(0, end + 1);
    return result;
}

}  // namespace skep::guest
