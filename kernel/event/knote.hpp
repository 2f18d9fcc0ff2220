// One registration in a kqueue: a filter on a source of events.
#pragma once

#include <kernel/event/kevent.hpp>
#include <kernel/event/knote_list.hpp>
#include <kernel/event/process_source.hpp>
#include <kernel/event/source.hpp>
#include <kernel/sched/clock.hpp>

namespace skep::kernel {

class EventQueue;
class File;
class Kqueue;
struct ActiveKnoteTag {};

// What a source tells of a knote.
struct Activity {
    Events events = 0;
    std::uint64_t times = 0;
};

class Knote final : public EventSubscriber,
                    public ListNode<FileKnoteTag>,
                    public ListNode<ActiveKnoteTag> {
  public:
    Knote(Kqueue& kqueue, EventQueue& queue, const Kevent& change, File* file, const void* table);
    void on_events(Events events) override;

  private:
    friend class EventQueue;
    friend class Kqueue;
    friend class KnoteList;
    friend class ScheduledQueues;
    static void timer_fired(Timer&, void* knote);

    // filters.cpp. attach: start to hear of events. evaluate: whether there is something to report,
    // and what.
    Result<> attach();
    void detach();
    bool evaluate(Kevent& out);
    void update(const Kevent& change);
    bool wants(Events events) const;
    std::uint32_t interest() const;
    Result<> start_timer();

    EventQueue& queue() const { return *queue_.load(std::memory_order_acquire); }
    template <typename Action>
    auto with_state(Action&& action);  // event_queue.hpp
    template <typename Action>
    auto when_settled(Action&& action);
    // With the lock held. -> whether it may wait to be collected.
    bool note(const Activity&);

    Kqueue& kqueue_;
    File* const file_;         // READ, WRITE, VNODE, POLL; alive while the knote is attached
    const void* const table_;  // the descriptor table that gave `ident` its meaning; null for epoll
    EventSource* source_ = nullptr;
    Ref<RefCounted> process_;  // PROCESS, SIGNAL: keeps source_
    Knote* next_in_bucket_ = nullptr;

    // The one that it waits in or waited in last. All that follows is under that one's lock
    // (with_state()); this changes under the locks of both, and not while in flux.
    std::atomic<EventQueue*> queue_;
    Kevent settings_;       // ident and filter never change
    bool queued_ = false;   // on a list of its queue
    bool in_flux_ = false;  // a thread evaluates it without the lock: it must stay
    bool pending_ = false;  // something happened meanwhile, or while it was disabled
    bool disabled_ = false;
    std::atomic<bool> spent_{false};  // a delivered ONESHOT, about to be deleted
    bool handed_ = false;             // to its queue's thread, and waits apart for that
    bool pinned_ = false;             // to its queue, while that is of generation_ (EV_AFFINITY)
    bool realtime_ = false;           // these three: only while it waits nowhere
    std::uint32_t generation_ = 0;    // of its queue when it came there
    EventQueue* first_ = nullptr;     // where it was sent first (KQ_SCHED_QUEUE)
    std::uint32_t first_generation_ = 0;
    Events happened_ = 0;            // VNODE, PROCESS
    bool triggered_ = false;         // USER
    std::uint64_t expirations_ = 0;  // TIMER; of SIGNAL: how many came

    // Of the timer's callback; others touch them while it is not armed.
    Nanoseconds deadline_ = 0, period_ = 0;
    Timer timer_;
};

}  // namespace skep::kernel
