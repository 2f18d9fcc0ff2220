// Knobs of the host-test arrangement.
#pragma once

#include <kernel/sched/clock.hpp>

#include <cstddef>

namespace skep::kernel {

// Runs a timer's callback.
struct TimerAccess {
    static void fire(Timer& timer) {
        timer.armed_ = false;
        timer.callback_(timer, timer.context_);
    }
};

namespace testing {

inline constexpr std::size_t kHostFrames = 8192;  // 32 MiB
extern std::size_t frame_limit;                   // lower it to see memory run out
extern std::size_t frames_in_use;
extern bool signal_pending_flag;  // interruptible waits end with Intr

void advance_clock(Nanoseconds by);  // and runs the timers that became due
void run_timers();

}  // namespace testing
}  // namespace skep::kernel
