// The runnable threads of one CPU.
#pragma once

#include <kernel/sched/thread_impl.hpp>

#include <array>

namespace skep::kernel {

// How long a thread may be passed over by more urgent ones.
inline constexpr Nanoseconds kPatience = 30'000'000;

class RunQueue {
  public:
    // At the back of its level, with a new slice; at the front to go on with what is left of one.
    void put_back(Thread& thread, Nanoseconds now);
    void put_front(Thread& thread);
    // The next thread, or null. The most urgent level comes first; but a program's thread that has
    // waited for kPatience rises to the first level of programs, and every second choice is for
    // such a thread.
    Thread* take(Nanoseconds now);
    // A thread in this queue became more (or less) urgent. False: it is not here any more.
    bool move(Thread& thread);
    // A thread that may run on `thief` and whose stack is not in use.
    Thread* steal(std::uint32_t thief);
    // Whether a thread at `level` or a more urgent one waits.
    bool has_urgent(std::uint8_t level) const {
        return bitmap_.load(std::memory_order_relaxed) & ((2u << level) - 1);
    }
    bool empty() const { return bitmap_.load(std::memory_order_relaxed) == 0; }
    std::uint32_t length() const { return length_.load(std::memory_order_relaxed); }

  private:
    void put(Thread& thread, bool front);
    void remove(Thread& thread);
    Thread* longest_waiting();
    Thread* with_slice_left(List<Thread, RunTag>& list);
    SpinLock lock_{"RunQueue"};
    std::array<List<Thread, RunTag>, kLevels> lists_;
    std::atomic<std::uint32_t> bitmap_{0};
    std::atomic<std::uint32_t> length_{0};
    unsigned takes_ = 0;
};

}  // namespace skep::kernel
