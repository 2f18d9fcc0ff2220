#include <kernel/event/scheduled_queues.hpp>

#include <kernel/base/log.hpp>
#include <kernel/sched/thread.hpp>

#include <algorithm>

namespace skep::kernel {

namespace {

class SetLoads final : public LoadView {
  public:
    SetLoads(const QueueSet& set, Nanoseconds unknown)
        : set_(set), count_(set.count()), unknown_(unknown) {}
    std::uint32_t count() const override { return count_; }
    Load load(std::uint32_t index) const override { return set_.at(index).load(unknown_); }

  private:
    const QueueSet& set_;
    const std::uint32_t count_;
    const Nanoseconds unknown_;
};

}  // namespace

Result<EventQueue*> ScheduledQueues::open() {
    if (spare_.empty()) {
        SKEP_TRY(all_.reserve(all_.size() + 1));
        SKEP_TRY(spare_.reserve(all_.size() + 1));
        Owned<EventQueue> fresh = SKEP_TRY(make_owned<EventQueue>());
        SKEP_TRY(spare_.push_back(fresh.get()));
        SKEP_TRY(all_.push_back(std::move(fresh)));
    }
    EventQueue& queue = *spare_.back();
    {
        const SpinGuard guard(queue.lock);
        queue.begin_service();
    }
    if (auto added = set_.add(queue); !added) {
        queue.open.store(false, std::memory_order_release);
        return fail(added.error());
    }
    spare_.pop_back();
    drain(parked_);
    return &queue;
}

void ScheduledQueues::close(EventQueue& queue) {
    if (!queue.open.load(std::memory_order_relaxed))
        return;  // close_all() was here
    set_.remove(queue);
    {
        const SpinGuard guard(queue.lock);
        queue.open.store(false, std::memory_order_release);
    }
    drain(queue);
    (void)spare_.push_back(&queue);
}

void ScheduledQueues::close_all() {
    while (const std::uint32_t count = set_.count()) {
        EventQueue& queue = set_.at(count - 1);
        set_.remove(queue);
        {
            const SpinGuard guard(queue.lock);
            queue.open.store(false, std::memory_order_release);
        }
        queue.waiters.wake_all();
    }
}

void ScheduledQueues::log_state() {
    constexpr std::uint32_t kMost = 64;
    const std::uint32_t count = set_.count();
    log("kqueue: scheduler {}, {} candidates, steals {}; {} queues, {} ns for an event",
        static_cast<unsigned>(schedule_.scheduler), schedule_.candidates, schedule_.steal_most,
        count, average_.load(std::memory_order_relaxed));
    for (std::uint32_t i = 0; i < std::min(count, kMost); i++) {
        const EventQueue& queue = set_.at(i);
        log("kqueue: thread {} on CPU {}: {} realtime, {} others, {} in hand, {} ns each{}",
            queue.thread, queue.cpu.load(std::memory_order_relaxed),
            queue.length(Waiting::Realtime), queue.length(Waiting::Normal),
            queue.length(Waiting::Handed), queue.load(0).average,
            queue.idle.load(std::memory_order_relaxed) ? ", waits" : "");
    }
}

EventQueue* ScheduledQueues::choose(const EventQueue* local) {
    const Nanoseconds average = average_.load(std::memory_order_relaxed);
    const Nanoseconds unknown = average ? average : 1;
    const SetLoads loads(set_, unknown);
    Random chance = random();
    const Load local_load = local ? local->load(unknown) : Load{};
    if (const auto index = choose_queue(schedule_, loads, local ? &local_load : nullptr, chance))
        return &set_.at(*index);
    return const_cast<EventQueue*>(local);
}

// With the lock of `home` held. Of the others it sees what they were a moment ago: move() looks
// again.
EventQueue& ScheduledQueues::target_of(const Knote& knote, EventQueue& home) {
    if (knote.pinned_ && home.serves(knote.generation_))
        return home;
    const EventQueue* local = nullptr;
    if (schedule_.scheduler == Scheduler::Queue && knote.first_ &&
        knote.first_->serves(knote.first_generation_))
        local = knote.first_;
    if (schedule_.scheduler == Scheduler::Cpu) {
        const std::uint32_t cpu = current_cpu();
        const EventQueue* last = on_cpu(cpu).load(std::memory_order_acquire);
        if (last && last->open.load(std::memory_order_relaxed) &&
            last->cpu.load(std::memory_order_relaxed) == cpu)
            local = last;
    }
    EventQueue* chosen = choose(local);
    return chosen ? *chosen : parked_;
}

// With the lock of its queue held, to which it was sent. -> whether the thread was idle.
bool ScheduledQueues::arrived(Knote& knote, EventQueue& queue) {
    if (&queue != &parked_ && !(knote.first_ && knote.first_->serves(knote.first_generation_))) {
        knote.first_ = &queue;
        knote.first_generation_ = knote.generation_;
    }
    return queue.idle.exchange(false, std::memory_order_relaxed);
}

// -> whether it did: the knote still waits nowhere, and may; `to` still takes it.
bool ScheduledQueues::move(Knote& knote, EventQueue& from, EventQueue& to) {
    bool to_idle;
    {
        const QueuePair both(from, to);
        if (&knote.queue() != &from || knote.queued_ || knote.in_flux_ || knote.disabled_ ||
            (&to != &parked_ && !to.open.load(std::memory_order_relaxed)))
            return false;
        to.adopt(knote);
        to_idle = arrived(knote, to);
    }
    announce(to, to_idle);
    return true;
}

void ScheduledQueues::activate(Knote& knote, const Activity& activity) {
    bool noted = false;
    for (;;) {
        EventQueue *from = nullptr, *to = nullptr;
        bool to_idle = false;
        knote.with_state([&](EventQueue& queue) {
            if (!knote.note(std::exchange(noted, true) ? Activity{} : activity) || knote.queued_)
                return;
            from = &queue;
            to = &target_of(knote, queue);
            if (to == from) {
                queue.push(knote);
                to_idle = arrived(knote, queue);
            }
        });
        if (!to)
            return;
        if (to == from) {
            announce(*to, to_idle);
            return;
        }
        if (move(knote, *from, *to))
            return;
    }
}

void ScheduledQueues::pin(Knote& knote, EventQueue& queue) {
    const auto pin_here = [&] {
        const bool waits = knote.queued_;
        if (waits)
            queue.remove(knote);
        knote.pinned_ = true;
        knote.generation_ = queue.generation.load(std::memory_order_relaxed);
        if (waits)
            queue.push(knote);
    };
    for (bool done = false; !done;) {
        EventQueue* from = knote.when_settled([](EventQueue& of) { return &of; });
        if (from == &queue) {
            done = knote.with_state([&](EventQueue& of) {
                if (&of == &queue)
                    pin_here();
                return &of == &queue;
            });
            continue;
        }
        const QueuePair both(*from, queue);
        if (&knote.queue() != from || knote.in_flux_)
            continue;
        if (knote.queued_)
            queue.adopt(knote);
        knote.queue_.store(&queue, std::memory_order_release);
        pin_here();
        done = true;
    }
    announce(queue, false);
}

// Something waits there that did not.
void ScheduledQueues::announce(EventQueue& queue, bool to_idle) {
    if (&queue == &parked_) {
        // open() adds a queue, then looks here: one of the two sees the other.
        if (set_.count())
            drain(parked_);
        return;
    }
    queue.waiters.wake_one();
    if (!to_idle && steals())
        wake_idle(queue);
}

// A thread that sleeps may steal of it. Who goes to sleep says so and then looks for something to
// steal; here it is the other way round.
void ScheduledQueues::wake_idle(const EventQueue& busy) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const std::uint32_t count = set_.count();
    if (count < 2)
        return;
    const std::uint32_t start = random().below(count);
    for (std::uint32_t i = 0; i < count; i++) {
        EventQueue& queue = set_.at((start + i) % count);
        if (&queue == &busy || !queue.idle.load(std::memory_order_relaxed))
            continue;
        const SpinGuard guard(queue.lock);  // not before it waits
        if (!queue.idle.exchange(false, std::memory_order_relaxed))
            continue;
        queue.waiters.wake_one();
        return;
    }
}

void ScheduledQueues::offer(EventQueue& of) {
    if (steals() && of.stealable())
        wake_idle(of);
}

// All that waits there goes to other queues.
void ScheduledQueues::drain(EventQueue& from) {
    for (;;) {
        EventQueue* to = choose(nullptr);
        if (!to || to == &from)
            to = &parked_;
        if (to == &from)
            return;
        bool to_idle;
        {
            const QueuePair both(from, *to);
            Knote* knote = nullptr;
            for (const Waiting kind : {Waiting::Realtime, Waiting::Normal, Waiting::Handed})
                if (!knote)
                    knote = from.front(kind);
            if (!knote)
                return;
            if (to != &parked_ && !to->open.load(std::memory_order_relaxed))
                continue;
            to->adopt(*knote);
            to_idle = arrived(*knote, *to);
        }
        announce(*to, to_idle);
    }
}

void ScheduledQueues::begin_collection(EventQueue& queue, Nanoseconds now) {
    queue.begin_collection(now, average_);
    const std::uint32_t cpu = current_cpu();
    queue.cpu.store(cpu, std::memory_order_relaxed);
    on_cpu(cpu).store(&queue, std::memory_order_release);
}

void ScheduledQueues::end_collection(EventQueue& queue, Nanoseconds now, std::size_t events) {
    queue.end_collection(now, events);
    const std::uint32_t cpu = current_cpu();
    queue.cpu.store(cpu, std::memory_order_relaxed);
    on_cpu(cpu).store(&queue, std::memory_order_release);
}

bool ScheduledQueues::take(EventQueue& victim, EventQueue& thief) {
    const QueuePair both(victim, thief);
    std::uint32_t taken = 0;
    for (const Waiting kind : {Waiting::Realtime, Waiting::Normal})
        for (Knote *knote = victim.front(kind), *next; knote && taken < schedule_.steal_most;
             knote = next) {
            next = victim.next(*knote);
            if (knote->pinned_)
                continue;
            thief.adopt(*knote);
            taken++;
        }
    return taken;
}

bool ScheduledQueues::steal(EventQueue& thief) {
    const std::uint32_t count = set_.count();
    if (count < 2)
        return false;
    const std::uint32_t start = random().below(count);
    for (std::uint32_t i = 0; i < count; i++) {
        EventQueue& victim = set_.at((start + i) % count);
        if (&victim != &thief && victim.stealable() && take(victim, thief))
            return true;
    }
    return false;
}

bool ScheduledQueues::may_steal(const EventQueue& thief) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    const std::uint32_t count = set_.count();
    for (std::uint32_t i = 0; i < count; i++)
        if (const EventQueue& victim = set_.at(i); &victim != &thief && victim.stealable())
            return true;
    return false;
}

}  // namespace skep::kernel
