#include <kernel/event/source.hpp>

namespace skep::kernel {

void EventSource::subscribe(EventSubscriber& subscriber) {
    SpinGuard guard(lock_);
    subscribers_.push_back(subscriber);
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    // Who subscribes then looks, who notifies has changed what there is to see and looks whether
    // somebody subscribes: one of the two sees the other.
    std::atomic_thread_fence(std::memory_order_seq_cst);
}

void EventSource::unsubscribe(EventSubscriber& subscriber) {
    SpinGuard guard(lock_);
    if (!subscriber.linked())
        return;
    List<EventSubscriber>::remove(subscriber);
    count_.store(count_.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
}

void EventSource::notify(Events events) {
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (count_.load(std::memory_order_relaxed) == 0)
        return;
    SpinGuard guard(lock_);
    for (EventSubscriber& subscriber : subscribers_)
        subscriber.on_events(events);
}

}  // namespace skep::kernel
