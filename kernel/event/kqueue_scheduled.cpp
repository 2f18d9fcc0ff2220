// A scheduled kqueue (SKQ): each thread that collects has a queue of its own.
#include <kernel/event/kqueue.hpp>

#include <kernel/sched/clock.hpp>
#include <kernel/sched/thread_impl.hpp>

namespace skep::kernel {

bool Kqueue::become_plain() {
    Mode mode = Mode::Fresh;
    mode_.compare_exchange_strong(mode, Mode::Plain, std::memory_order_acq_rel);
    return mode != Mode::Scheduled;
}

Result<> Kqueue::schedule(std::uint32_t argument) {
    const Schedule schedule = SKEP_TRY(Schedule::parse(argument));
    const MutexGuard guard(change_lock_);
    if (mode_.load(std::memory_order_acquire) != Mode::Fresh)
        return fail(Errno::Inval);
    scheduled_ = SKEP_TRY(make_owned<ScheduledQueues>(schedule, queue_));
    Mode fresh = Mode::Fresh;
    if (!mode_.compare_exchange_strong(fresh, Mode::Scheduled, std::memory_order_acq_rel)) {
        scheduled_.reset();
        return fail(Errno::Inval);
    }
    return {};
}

Result<> Kqueue::tune(std::uint32_t argument) {
    constexpr std::uint16_t kFrequency = 1, kRealtimeShare = 2;
    const auto object = static_cast<std::uint16_t>(argument);
    const std::uint32_t value = argument >> 16;
    if (object == kFrequency)
        return fail(Errno::OpNotSupp);
    if (object != kRealtimeShare || value < 1 || value > 100)
        return fail(Errno::Inval);
    realtime_share_.store(static_cast<std::uint8_t>(value), std::memory_order_relaxed);
    return {};
}

Result<> Kqueue::log_queues() {
    const MutexGuard guard(change_lock_);
    if (!scheduled())
        return fail(Errno::Inval);
    scheduled_->log_state();
    return {};
}

// Of the calling thread; it has one from its first collection on.
Result<EventQueue*> Kqueue::own_queue() {
    ThreadQueues& of_thread = current_thread().event_queues;
    if (EventQueue* queue = of_thread.find(*this))
        return queue;
    of_thread.forget_closed();
    const MutexGuard guard(change_lock_);
    if (closed())
        return fail(Errno::BadF);
    EventQueue* queue = SKEP_TRY(scheduled_->open());
    queue->thread = current_thread().id;
    queue->kqueue = this;
    queue->keeps_kqueue = Ref<RefCounted>(this);
    of_thread.add(*queue);
    return queue;
}

void Kqueue::leave(EventQueue& queue) {
    const MutexGuard guard(change_lock_);
    scheduled_->close(queue);
}

Result<std::size_t> Kqueue::wait_scheduled(std::span<Kevent> out, Nanoseconds deadline) {
    EventQueue& queue = *SKEP_TRY(own_queue());
    ScheduledQueues& all = *scheduled_;
    all.begin_collection(queue, monotonic_now());
    std::size_t found = 0;
    {
        SpinGuard guard(queue.lock);
        queue.take_back_handed();
        for (;;) {
            found = collect(queue, out, guard);
            if (!found && queue.empty() && all.steals()) {
                guard.unlock();
                const bool stolen = all.steal(queue);
                guard.relock();
                if (stolen)
                    found = collect(queue, out, guard);
            }
            if (found)
                break;
            if (!queue.open.load(std::memory_order_relaxed))
                return fail(Errno::BadF);  // closed meanwhile
            if (deadline == 0 || monotonic_now() >= deadline)
                break;
            if (!queue.empty())
                continue;
            queue.idle.store(true, std::memory_order_relaxed);
            if (all.steals() && all.may_steal(queue)) {
                queue.idle.store(false, std::memory_order_relaxed);
                continue;
            }
            const auto woken = queue.waiters.wait(guard, Sleep::Interruptible, deadline);
            queue.idle.store(false, std::memory_order_relaxed);
            if (!woken && woken.error() != Errno::TimedOut)
                return fail(woken.error());
        }
    }
    all.end_collection(queue, monotonic_now(), found);
    all.offer(queue);
    if (spent_.load(std::memory_order_relaxed))
        delete_spent();
    return found;
}

}  // namespace skep::kernel
