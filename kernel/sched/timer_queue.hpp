// The armed timers of one CPU.
#pragma once

#include <kernel/sched/clock.hpp>

namespace skep::kernel {

class TimerQueue {
  public:
    void arm(Timer& timer, std::uint32_t cpu, Nanoseconds deadline);
    void cancel(Timer& timer);
    // Interrupts masked, on the queue's own CPU: runs what is due.
    void run(Nanoseconds now);
    Nanoseconds next_deadline();
    bool is_running(const Timer& timer) const {
        return running_.load(std::memory_order_acquire) == &timer;
    }

  private:
    struct Earlier {
        bool operator()(const Timer& a, const Timer& b) const { return a.deadline_ < b.deadline_; }
    };
    SpinLock lock_{"TimerQueue"};
    PairingHeap<Timer, Earlier> heap_;
    std::atomic<Timer*> running_{nullptr};
};

}  // namespace skep::kernel
