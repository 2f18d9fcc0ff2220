// One registration in a kqueue: a filter on a source of events.
#pragma once

#include <kernel/event/kevent.hpp>
#include <kernel/event/knote_list.hpp>
#include <kernel/event/process_source.hpp>
#include <kernel/event/source.hpp>
#include <kernel/sched/clock.hpp>

namespace skep::kernel {

class File;
class Kqueue;
struct ActiveKnoteTag {};

class Knote final : public EventSubscriber,
                    public ListNode<FileKnoteTag>,
                    public ListNode<ActiveKnoteTag> {
  public:
    Knote(Kqueue& kqueue, const Kevent& change, File* file, const void* table);
    void on_events(Events events) override;

  private:
    friend class Kqueue;
    friend class KnoteList;
    static void timer_fired(Timer&, void* knote);

    // filters.cpp. attach: start to hear of events. evaluate: whether there is something to report,
    // and what.
    Result<> attach();
    void detach();
    bool evaluate(Kevent& out);
    void update(const Kevent& change);
    bool wants(Events events) const;
    Result<> start_timer();

    Kqueue& kqueue_;
    File* const file_;         // READ, WRITE, VNODE, POLL; alive while the knote is attached
    const void* const table_;  // the descriptor table that gave `ident` its meaning; null for epoll
    Kevent settings_;
    EventSource* source_ = nullptr;
    Ref<RefCounted> process_;  // PROCESS, SIGNAL: keeps source_
    Knote* next_in_bucket_ = nullptr;

    // Under the kqueue's spin lock.
    bool queued_ = false;   // on the active list
    bool in_flux_ = false;  // a thread evaluates it without the lock: it must stay
    bool pending_ = false;  // something happened meanwhile, or while it was disabled
    bool disabled_ = false;
    bool spent_ = false;             // a delivered ONESHOT, about to be deleted
    Events happened_ = 0;            // VNODE, PROCESS
    bool triggered_ = false;         // USER
    std::uint64_t expirations_ = 0;  // TIMER; of SIGNAL: how many came
    Nanoseconds deadline_ = 0, period_ = 0;
    Timer timer_;
};

}  // namespace skep::kernel
