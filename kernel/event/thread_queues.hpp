// The event queues of a thread, one for each scheduled kqueue that it collects from.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace skep::kernel {

class EventQueue;
class Kqueue;

// Of the thread alone, so without a lock. Each queue here keeps its kqueue in memory, though not
// open: those of closed ones go when the next is added, or with the thread.
class ThreadQueues {
  public:
    EventQueue* find(const Kqueue&) const;  // null: none
    void add(EventQueue&);
    void forget_closed();
    // The thread ends: the events that it leaves go to others. May sleep.
    void leave();

  private:
    static constexpr std::size_t kBuckets = 8;
    static std::size_t bucket(const Kqueue& kqueue) {
        return reinterpret_cast<std::uintptr_t>(&kqueue) / 64 % kBuckets;
    }
    std::array<EventQueue*, kBuckets> buckets_{};
};

}  // namespace skep::kernel
