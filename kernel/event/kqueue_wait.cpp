// From a knote that becomes active to its delivery.
#include <kernel/event/kqueue.hpp>

#include <kernel/sched/clock.hpp>

namespace skep::kernel {

bool Knote::note(const Activity& activity) {
    happened_ |= activity.events;
    expirations_ += activity.times;
    if (!disabled_ && !in_flux_)
        return true;
    pending_ = true;
    return false;
}

void Kqueue::activate(Knote& knote, const Activity& activity) {
    if (ScheduledQueues* queues = scheduled()) {
        queues->activate(knote, activity);
        return;
    }
    bool waits = false, sleepers = false;
    knote.with_state([&](EventQueue& queue) {
        waits = knote.note(activity);
        if (waits && !knote.queued_)
            queue.push(knote);
        sleepers = queue.sleepers;
    });
    if (!waits)
        return;
    if (sleepers)
        queue_.waiters.wake_one();
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
    if (again && !knote.disabled_) {
        if (reported && scheduled())
            queue.push_handed(knote);
        else
            queue.push(knote);
    }
    knote.pending_ = again && knote.disabled_;
    if (queue.flux_waiters)
        queue.flux.wake_all();
}

// With the queue's lock held, which it gives up around each evaluation. Looks at `most` knotes at
// most; fills `out` from the front, until `spare` are left. -> how many it has looked at.
std::uint32_t Kqueue::collect(EventQueue& queue, Waiting kind, std::uint32_t most,
                              std::span<Kevent>& out, std::size_t spare, SpinGuard& guard) {
    std::uint32_t looked = 0;
    for (; looked < most && out.size() > spare; looked++) {
        Knote* knote = queue.pop(kind);
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
    return looked;
}

// Each knote that waits there now is looked at once: the realtime ones first, but only their share
// of the room while others wait.
std::size_t Kqueue::collect(EventQueue& queue, std::span<Kevent> out, SpinGuard& guard) {
    std::span<Kevent> rest = out;
    const std::uint32_t normal = queue.length(Waiting::Normal);
    if (std::uint32_t realtime = queue.length(Waiting::Realtime)) {
        const std::size_t room =
            (out.size() * realtime_share_.load(std::memory_order_relaxed) + 99) / 100;
        realtime -= collect(queue, Waiting::Realtime, realtime, rest, out.size() - room, guard);
        collect(queue, Waiting::Normal, normal, rest, 0, guard);
        collect(queue, Waiting::Realtime, realtime, rest, 0, guard);
    } else {
        collect(queue, Waiting::Normal, normal, rest, 0, guard);
    }
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
    if (!be_plain())
        return wait_scheduled(out, deadline);
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
            queue.sleepers++;
            const auto woken = queue.waiters.wait(guard, Sleep::Interruptible, deadline);
            queue.sleepers--;
            if (!woken && woken.error() != Errno::TimedOut)
                return fail(woken.error());
        }
        more = queue.sleepers && !queue.empty();
    }
    if (spent_.load(std::memory_order_relaxed))
        delete_spent();
    if (more)
        queue.waiters.wake_one();  // level-triggered events are for the next thread too
    return found;
}

Events Kqueue::ready(Events interest) {
    if (scheduled())
        return kError;  // which of its queues?
    const SpinGuard guard(queue_.lock);
    return queue_.empty() ? 0 : interest & kReadable;
}

}  // namespace skep::kernel
