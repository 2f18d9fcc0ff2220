// What a guest printed on its serial console: the last 256 KiB, for any number of readers, each at
// its own place. Places are counts of bytes since the guest started.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace skep::mgmt {

class ConsoleBuffer {
  public:
    explicit ConsoleBuffer(std::size_t capacity = 256 * 1024) : capacity_(capacity) {}

    void append(std::string_view bytes);
    void close();  // the guest has ended: nothing will follow
    void wake();   // makes waiting readers look around (their caller was cancelled)

    struct Piece {
        std::string bytes;
        std::uint64_t lost = 0;  // overwritten before this reader came by
        bool closed = false;     // and nothing is left to read
    };
    // What is there from `place` on, at most 64 KiB, and advances `place`. Waits up to `patience`
    // for something to come.
    Piece read(std::uint64_t& place, std::chrono::milliseconds patience);

    std::uint64_t end() const;  // the place after the newest byte

  private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t capacity_;
    std::string bytes_;        // the newest ones
    std::uint64_t start_ = 0;  // the place of bytes_[0]
    std::uint64_t wakeups_ = 0;
    bool closed_ = false;
};

}  // namespace skep::mgmt
