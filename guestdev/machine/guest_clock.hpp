// Guest time from the host's monotonic clock: it runs only while the guest does.
#pragma once

#include <guestdev/core/time.hpp>

#include <time.h>

namespace skep::guestdev {

inline std::uint64_t host_monotonic_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * kNanosecondsPerSecond +
           static_cast<std::uint64_t>(now.tv_nsec);
}

inline std::int64_t host_wall_clock_ns() {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * static_cast<std::int64_t>(kNanosecondsPerSecond) + now.tv_nsec;
}

// Read and changed under the board's lock.
class GuestClock final : public TimeSource {
  public:
    GuestTime now() const override { return running_ ? host_monotonic_ns() - base_ : stopped_at_; }
    bool running() const { return running_; }
    void start() {
        base_ = host_monotonic_ns() - stopped_at_;
        running_ = true;
    }
    void stop() {
        stopped_at_ = now();
        running_ = false;
    }
    void set(GuestTime time) { stopped_at_ = time; }  // while stopped

  private:
    bool running_ = false;
    GuestTime stopped_at_ = 0;
    std::uint64_t base_ = 0;
};

}  // namespace skep::guestdev
