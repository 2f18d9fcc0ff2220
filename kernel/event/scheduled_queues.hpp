// The queues of a scheduled kqueue (SKQ) and how knotes come to them, by schedule.hpp's policies.
#pragma once

#include <kernel/base/make.hpp>
#include <kernel/base/vector.hpp>
#include <kernel/event/queue_set.hpp>

namespace skep::kernel {

// `parked` is the kqueue's own queue: what becomes active while no thread collects waits there.
class ScheduledQueues {
  public:
    ScheduledQueues(const Schedule& schedule, EventQueue& parked)
        : schedule_(schedule), parked_(parked) {}

    // With the kqueue's change lock held:
    Result<EventQueue*> open();  // for a thread that begins to collect. NoMem, Again
    void close(EventQueue&);     // what waits there goes to others
    void close_all();            // no knote is left; the threads that wait wake up
    void log_state();

    void activate(Knote&, const Activity&);
    // A knote that a thread registered for itself. With the change lock held.
    void pin(Knote&, EventQueue&);

    // Of a queue's thread: it comes to collect, or goes.
    void begin_collection(EventQueue&, Nanoseconds now);
    void end_collection(EventQueue&, Nanoseconds now, std::size_t events);
    bool steals() const { return schedule_.steal_most; }
    bool steal(EventQueue& thief);            // -> whether it has got something
    bool may_steal(const EventQueue& thief);  // there is something
    void offer(EventQueue& of);               // others may take what its thread leaves waiting

  private:
    // Where threads were here last, by CPU.
    static constexpr std::size_t kCpuSlots = 64;
    std::atomic<EventQueue*>& on_cpu(std::uint32_t cpu) { return on_cpu_[cpu % kCpuSlots]; }
    EventQueue* choose(const EventQueue* local);
    EventQueue& target_of(const Knote&, EventQueue& home);
    bool arrived(Knote&, EventQueue&);
    bool move(Knote&, EventQueue& from, EventQueue& to);
    void announce(EventQueue&, bool to_idle);
    void wake_idle(const EventQueue& busy);
    void drain(EventQueue& from);
    bool take(EventQueue& victim, EventQueue& thief);
    Random random() { return Random(choices_.fetch_add(1, std::memory_order_relaxed)); }

    const Schedule schedule_;
    EventQueue& parked_;
    QueueSet set_;
    Vector<Owned<EventQueue>> all_;
    Vector<EventQueue*> spare_;  // their threads have ended; capacity for all
    std::array<std::atomic<EventQueue*>, kCpuSlots> on_cpu_{};
    std::atomic<Nanoseconds> average_{0};  // time for an event, of all threads
    std::atomic<std::uint64_t> choices_{0};
};

}  // namespace skep::kernel
