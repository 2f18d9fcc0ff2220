#include <kernel/event/source.hpp>

namespace skep::kernel {

void EventSource::subscribe(EventSubscriber& subscriber) {
    SpinGuard guard(lock_);
    subscribers_.push_back(subscriber);
}

void EventSource::unsubscribe(EventSubscriber& subscriber) {
    SpinGuard guard(lock_);
    if (subscriber.linked())
        List<EventSubscriber>::remove(subscriber);
}

void EventSource::notify(Events events) {
    SpinGuard guard(lock_);
    for (EventSubscriber& subscriber : subscribers_)
        subscriber.on_events(events);
}

}  // namespace skep::kernel
