// Where active knotes wait for a thread to collect them. A plain kqueue has one, a scheduled one
// (SKQ) one more for each thread that collects.
#pragma once

#include <kernel/event/knote.hpp>
#include <kernel/sync/wait.hpp>

#include <array>

namespace skep::kernel {

// Realtime knotes (EV_REALTIME) are collected first.
enum class Urgency : std::uint8_t {
    Realtime,
    Normal
};
inline constexpr std::size_t kUrgencies = 2;

// The lock is over the lists and over the state of every knote whose queue() this is, whether it
// waits here or not. So one lock is enough for all that is done to a knote; it moves to another
// queue under the locks of both. A queue lives as long as its kqueue: who reads queue() and finds,
// having locked it, that it is not the knote's any more, may have waited at the wrong lock but not
// at a freed one.
class EventQueue {
  public:
    SpinLock lock{"EventQueue"};
    WaitQueue waiters;  // for something to collect
    WaitQueue flux;     // for one of its knotes to leave flux

    // With the lock held:
    std::uint32_t flux_waiters = 0;
    // A knote is pushed at the end of the list of its urgency.
    void push(Knote&);
    Knote* pop(Urgency);  // null: none
    void remove(Knote&);
    bool empty() const { return length(Urgency::Realtime) + length(Urgency::Normal) == 0; }
    std::uint32_t length(Urgency urgency) const {
        return lengths_[static_cast<std::size_t>(urgency)];
    }

  private:
    static Urgency urgency_of(const Knote&);
    List<Knote, ActiveKnoteTag>& list(Urgency urgency) {
        return lists_[static_cast<std::size_t>(urgency)];
    }
    std::uint32_t& count(Urgency urgency) { return lengths_[static_cast<std::size_t>(urgency)]; }

    std::array<List<Knote, ActiveKnoteTag>, kUrgencies> lists_;
    std::array<std::uint32_t, kUrgencies> lengths_{};
};

// Calls `action` with the knote's queue, locked.
template <typename Action>
auto Knote::with_state(Action&& action) {
    for (;;) {
        EventQueue& of = queue();
        const SpinGuard guard(of.lock);
        if (&queue() == &of)
            return action(of);
    }
}

}  // namespace skep::kernel
