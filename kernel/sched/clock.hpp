// Clocks and one-shot timers.
#pragma once

#include <kernel/base/list.hpp>
#include <kernel/base/pairing_heap.hpp>
#include <kernel/sync/wait.hpp>

namespace skep::kernel {

Nanoseconds monotonic_now();  // since boot, never goes back
std::int64_t realtime_now();  // since 1970-01-01 00:00 UTC, nanoseconds
void set_realtime(std::int64_t now);
std::uint64_t tsc_frequency();  // Hz

// When a timer that was due at `deadline` comes again. Periods that a program chooses may be
// shorter than the interrupt takes: no CPU is to do nothing else.
inline constexpr Nanoseconds kShortestPeriod = 50'000;
inline Nanoseconds next_period(Nanoseconds deadline, Nanoseconds period) {
    const Nanoseconds next = deadline + period, soonest = monotonic_now() + kShortestPeriod;
    return next > soonest ? next : soonest;
}

// Calls `callback` once, in interrupt context with interrupts masked, at or after the deadline. The
// callback may arm its timer again. Its owner calls arm() and cancel() from one thread at a time.
class Timer : public PairingNode<Timer> {
  public:
    using Callback = void (*)(Timer&, void* context);
    Timer(Callback callback, void* context) : callback_(callback), context_(context) {}
    ~Timer() { cancel(); }
    void arm(Nanoseconds deadline);  // re-arms if armed
    void cancel();                   // the callback does not run after cancel() has returned
    bool armed() const { return armed_.load(std::memory_order_relaxed); }
    Nanoseconds deadline() const { return deadline_; }

  private:
    friend class TimerQueue;
    friend struct TimerAccess;
    Callback callback_;
    void* context_;
    Nanoseconds deadline_ = kForever;
    std::atomic<bool> armed_{false};
    bool used_ = false;                  // was ever armed: the callback may be running
    std::atomic<std::uint32_t> cpu_{0};  // whose queue it is (or was last) in
};

}  // namespace skep::kernel
