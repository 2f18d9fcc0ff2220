// Guest time: nanoseconds since the guest was first started. It stands still while the guest is
// paused or saved. Every device clock and timer derives from it.
#pragma once

#include <cstdint>

namespace skep::guestdev {

using GuestTime = std::uint64_t;

inline constexpr GuestTime kNever = ~GuestTime{0};
inline constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

__extension__ using Wide = unsigned __int128;

// The tick of a clock of `frequency` Hz that is current at `time`.
constexpr std::uint64_t ticks_at(GuestTime time, std::uint64_t frequency) {
    return static_cast<std::uint64_t>(static_cast<Wide>(time) * frequency / kNanosecondsPerSecond);
}

// The first moment at which ticks_at() gives `tick`.
constexpr GuestTime time_of_tick(std::uint64_t tick, std::uint64_t frequency) {
    return static_cast<GuestTime>(
        (static_cast<Wide>(tick) * kNanosecondsPerSecond + frequency - 1) / frequency);
}

// Where adapters read the time; state machines get it as an argument.
class TimeSource {
  public:
    virtual ~TimeSource() = default;
    virtual GuestTime now() const = 0;
};

// Whoever acts by itself when time passes.
class Timed {
  public:
    virtual ~Timed() = default;
    virtual void advance(GuestTime now) = 0;
    // When advance() must be called next, or kNever. May be early, never late.
    virtual GuestTime next_event() const = 0;
};

}  // namespace skep::guestdev
