#include "mgmt/cli/progress.hpp"

#include "mgmt/cli/size_text.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace skep::mgmt::cli {
namespace {

using Clock = std::chrono::steady_clock;

unsigned terminal_columns() {
    winsize size{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

Progress::Progress(std::string label)
    : label_(std::move(label)), terminal_(::isatty(STDERR_FILENO) == 1), start_(Clock::now()) {}

std::string Progress::bar(const std::string& label, std::uint64_t done, std::uint64_t total,
                          double bytes_per_second, unsigned columns) {
    auto speed = size_text(static_cast<std::uint64_t>(bytes_per_second)) + "/s";
    if (total == 0)
        return label + "  " + size_text(done) + "  " + speed;
    auto shown = std::min(done, total);
    auto fraction = static_cast<double>(shown) / static_cast<double>(total);
    char percent[8];
    std::snprintf(percent, sizeof percent, "%3u%%", static_cast<unsigned>(fraction * 100));
    auto figures =
        std::string(percent) + "  " + size_text(shown) + " of " + size_text(total) + "  " + speed;
    auto room = static_cast<int>(columns) - static_cast<int>(label.size() + figures.size()) - 7;
    if (room < 8)
        return label + "  " + figures;
    auto width = static_cast<std::size_t>(std::min(room, 40));
    auto filled = static_cast<std::size_t>(fraction * static_cast<double>(width));
    return label + "  [" + std::string(filled, '#') + std::string(width - filled, '.') + "]  " +
           figures;
}

void Progress::update(std::uint64_t done, std::uint64_t total) {
    done_ = done;
    total_ = total;
    auto label = stage_.empty() ? label_ : label_ + ": " + stage_;
    if (terminal_) {
        if (drawn_ && seconds_since(last_draw_) < 0.1)
            return;
        auto rate = static_cast<double>(done) / std::max(seconds_since(start_), 0.001);
        std::fprintf(stderr, "\r%s\x1b[K",
                     bar(label, done, total, rate, terminal_columns()).c_str());
        drawn_ = true;
        last_draw_ = Clock::now();
        return;
    }
    unsigned quarters = total == 0 ? 0 : static_cast<unsigned>(4 * std::min(done, total) / total);
    if (quarters > quarters_told_ && quarters < 4) {
        quarters_told_ = quarters;
        std::fprintf(stderr, "%s: %u%% of %s\n", label.c_str(), quarters * 25,
                     size_text(total).c_str());
    }
}

void Progress::finish() {
    auto seconds = seconds_since(start_);
    if (terminal_ && drawn_)
        std::fputs("\r\x1b[K", stderr);
    drawn_ = false;
    if (total_ != 0)
        std::fprintf(stderr, "%s: %s in %.1f s\n", label_.c_str(), size_text(done_).c_str(),
                     seconds);
}

Progress::~Progress() {
    if (terminal_ && drawn_)
        std::fputs("\n", stderr);
}

}  // namespace skep::mgmt::cli
