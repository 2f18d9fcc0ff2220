// From a knote that becomes active to its delivery.
#include <kernel/event/kqueue.hpp>

#include <kernel/sched/clock.hpp>

namespace skep::kernel {

void Kqueue::activate(Knote& knote, Activity activity) {
    EventQueue* woken = knote.with_state([&](EventQueue& queue) -> EventQueue* {
        knote.happened_ |= activity.events;
        knote.expirations_ += activity.times;
        if (knote.disabled_ || knote.in_flux_) {
            knote.pending_ = true;
            return nullptr;
        }
        if (!knote.queued_)
            queue.push(knote);
        return &queue;
    });
    if (woken)
        wake(*woken);
}

void Kqueue::wake(EventQueue& queue) {
    queue.waiters.wake_one();
    File::events().notify(kReadable);
}

// After it was looked at, with the lock held again.
void Kqueue::put_back(EventQueue& queue, Knote& knote, const Kevent* reported) {
    const std::uint16_t flags = knote.settings_.flags;
    bool again = knote.pending_;
    knote.in_flux_ = false;
    if (reported) {
        if ((flags | reported->flags) & kEventOneshot) {
            knote.disabled_ = true;
            knote.spent_ = true;
            spent_.fetch_add(1, std::memory_order_relaxed);
        } else if (flags & kEventDispatch) {
            knote.disabled_ = true;
        }
        again |= !(flags & kEventClear);
    }
    if (again && !knote.disabled_)
        queue.push(knote);
    knote.pending_ = again && knote.disabled_;
    if (queue.flux_waiters)
        queue.flux.wake_all();
}

// With the queue's lock held, which it gives up around each evaluation. Looks at `most` knotes at
// most; takes what it fills from the front of `out`.
void Kqueue::collect(EventQueue& queue, Urgency urgency, std::uint32_t most, std::span<Kevent>& out,
                     SpinGuard& guard) {
    for (; most && !out.empty(); most--) {
        Knote* knote = queue.pop(urgency);
        if (!knote)
            break;
        if (knote->disabled_) {
            knote->pending_ = true;
            continue;
        }
        knote->in_flux_ = true;
        knote->pending_ = false;
        Kevent& event = out.front();
        event = knote->settings_;
        guard.unlock();
        const bool report = knote->evaluate(event);
        guard.relock();
        put_back(queue, *knote, report ? &event : nullptr);
        if (report)
            out = out.subspan(1);
    }
}

// Each knote that waits there now is looked at once.
std::size_t Kqueue::collect(EventQueue& queue, std::span<Kevent> out, SpinGuard& guard) {
    std::span<Kevent> rest = out;
    const std::uint32_t normal = queue.length(Urgency::Normal);
    collect(queue, Urgency::Realtime, queue.length(Urgency::Realtime), rest, guard);
    collect(queue, Urgency::Normal, normal, rest, guard);
    return out.size() - rest.size();
}

// ONESHOT knotes that were delivered.
void Kqueue::delete_spent() {
    MutexGuard guard(change_lock_);
    for (Knote* head : buckets_)
        for (Knote *knote = head, *next; knote; knote = next) {
            next = knote->next_in_bucket_;
            if (knote->spent_)
                erase(*knote);
        }
}

Result<std::size_t> Kqueue::wait(std::span<Kevent> out, Nanoseconds deadline) {
    if (out.empty())
        return 0;
    EventQueue& queue = queue_;
    std::size_t found = 0;
    bool more = false;
    {
        SpinGuard guard(queue.lock);
        for (;;) {
            found = collect(queue, out, guard);
            // An event may have come for a knote while this thread had it in hand, and then it has
            // woken nobody.
            if (found || deadline == 0 || monotonic_now() >= deadline)
                break;
            if (!queue.empty())
                continue;  // it became active while others were looked at
            if (auto woken = queue.waiters.wait(guard, Sleep::Interruptible, deadline);
                !woken && woken.error() != Errno::TimedOut)
                return fail(woken.error());
        }
        more = !queue.empty();
    }
    if (spent_.load(std::memory_order_relaxed))
        delete_spent();
    if (more)
        queue.waiters.wake_one();  // level-triggered events are for the next thread too
    return found;
}

Events Kqueue::ready(Events interest) {
    const SpinGuard guard(queue_.lock);
    return queue_.empty() ? 0 : interest & kReadable;
}

}  // namespace skep::kernel
