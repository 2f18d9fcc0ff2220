// Where active knotes wait for a thread to collect them. A plain kqueue has one, a scheduled one
// (SKQ) one more for each thread that collects.
#pragma once

#include <kernel/base/ref.hpp>
#include <kernel/event/knote.hpp>
#include <kernel/event/schedule.hpp>
#include <kernel/sync/wait.hpp>

#include <algorithm>
#include <array>

namespace skep::kernel {

// Realtime knotes (EV_REALTIME) are collected first. Handed ones were reported to the queue's
// thread and may be to report again (by level): they are kept for that thread alone until it comes
// back from its work on them.
enum class Waiting : std::uint8_t {
    Realtime,
    Normal,
    Handed
};
inline constexpr std::size_t kWaitingKinds = 3;

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
    std::uint32_t sleepers = 0;  // threads that wait for something to collect
    // A knote is pushed at the end, to be collected according to its urgency.
    void push(Knote&);
    void push_handed(Knote&);
    void take_back_handed();
    Knote* pop(Waiting);    // null: none
    Knote* front(Waiting);  // null: none
    Knote* next(Knote& knote) { return lists_[list_of(knote)].next(knote); }
    void remove(Knote&);
    // Of what can be collected.
    bool empty() const { return length(Waiting::Realtime) + length(Waiting::Normal) == 0; }
    std::uint32_t length(Waiting kind) const {
        return lengths_[static_cast<std::size_t>(kind)].load(std::memory_order_relaxed);
    }
    // EV_ADD of one that exists: not pinned any more.
    void set_urgency(Knote&, bool realtime);
    // Takes the knote over from its queue, whose lock is held, too.
    void adopt(Knote&);

    // --- of a scheduled kqueue's thread ---

    // Events are brought to it; changes under the lock. A queue that was given to the next thread
    // is another one: it counts up.
    std::atomic<bool> open{false};
    std::atomic<std::uint32_t> generation{0};
    void begin_service();
    // It takes events and is still what it was in that generation.
    bool serves(std::uint32_t since) const {
        return open.load(std::memory_order_acquire) &&
               generation.load(std::memory_order_relaxed) == since;
    }
    // Read without the lock, by who chooses a queue.
    Load load(Nanoseconds unknown) const;
    bool stealable() const;
    std::atomic<bool> idle{false};      // the thread sleeps, or is about to; set under the lock
    std::int32_t thread = 0;            // its id
    std::atomic<std::uint32_t> cpu{0};  // where the thread was here last

    // Of the thread: between two collections it has worked on what it got.
    void begin_collection(Nanoseconds now, std::atomic<Nanoseconds>& of_all);
    void end_collection(Nanoseconds now, std::size_t events);
    EventQueue* next_of_thread = nullptr;  // ThreadQueues
    Kqueue* kqueue = nullptr;
    Ref<RefCounted> keeps_kqueue;  // while a thread has the queue

    std::uint32_t place = 0;  // QueueSet's

  private:
    static std::size_t list_of(const Knote&);
    static void count(std::atomic<std::uint32_t>& counter, std::uint32_t change);

    std::array<List<Knote, ActiveKnoteTag>, kWaitingKinds> lists_;
    // Written under the lock.
    std::array<std::atomic<std::uint32_t>, kWaitingKinds> lengths_{};
    std::atomic<std::uint32_t> pinned_{0};  // of those that can be collected
    std::atomic<Nanoseconds> average_{0};   // 0: not known
    Nanoseconds returned_ = 0;
    std::size_t returned_events_ = 0;
};

// Both locked.
class [[nodiscard]] QueuePair {
  public:
    QueuePair(EventQueue& a, EventQueue& b)
        : first_((&a < &b ? a : b).lock), second_((&a < &b ? b : a).lock) {}

  private:
    SpinGuard first_, second_;
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

// The same, once no thread evaluates it.
template <typename Action>
auto Knote::when_settled(Action&& action) {
    for (;;) {
        EventQueue& of = queue();
        SpinGuard guard(of.lock);
        if (&queue() != &of)
            continue;
        if (!in_flux_)
            return action(of);
        of.flux_waiters++;
        (void)of.flux.wait(guard, Sleep::Uninterruptible);
        of.flux_waiters--;
    }
}

}  // namespace skep::kernel
