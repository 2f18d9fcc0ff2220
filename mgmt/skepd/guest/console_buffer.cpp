#include "mgmt/skepd/guest/console_buffer.hpp"

#include <algorithm>

namespace skep::mgmt {

void ConsoleBuffer::append(std::string_view bytes) {
    std::lock_guard lock(mutex_);
    bytes_ += bytes;
    // Trimmed by halves, so that a byte is moved once on average and not at each append.
    if (bytes_.size() > 2 * capacity_) {
        auto surplus = bytes_.size() - capacity_;
        bytes_.erase(0, surplus);
        start_ += surplus;
    }
    changed_.notify_all();
}

void ConsoleBuffer::close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
}

void ConsoleBuffer::wake() {
    std::lock_guard lock(mutex_);
    ++wakeups_;
    changed_.notify_all();
}

ConsoleBuffer::Piece ConsoleBuffer::read(std::uint64_t& place, std::chrono::milliseconds patience) {
    constexpr std::size_t kMost = 64 * 1024;
    std::unique_lock lock(mutex_);
    auto wakeups = wakeups_;
    changed_.wait_for(lock, patience, [&] {
        return closed_ || wakeups != wakeups_ || place < start_ + bytes_.size();
    });
    Piece piece;
    auto newest = start_ + bytes_.size();
    auto oldest = newest - std::min<std::uint64_t>(bytes_.size(), capacity_);
    if (place < oldest) {
        piece.lost = oldest - place;
        place = oldest;
    }
    if (place < newest) {
        piece.bytes = bytes_.substr(place - start_, kMost);
        place += piece.bytes.size();
    }
    piece.closed = closed_ && place >= newest;
    return piece;
}

std::uint64_t ConsoleBuffer::end() const {
    std::lock_guard lock(mutex_);
    return start_ + bytes_.size();
}

}  // namespace skep::mgmt
