#include <kernel/event/event_queue.hpp>

#include <kernel/event/kqueue.hpp>

namespace skep::kernel {

std::size_t EventQueue::list_of(const Knote& knote) {
    return static_cast<std::size_t>(knote.handed_     ? Waiting::Handed
                                    : knote.realtime_ ? Waiting::Realtime
                                                      : Waiting::Normal);
}

void EventQueue::count(std::atomic<std::uint32_t>& counter, std::uint32_t change) {
    counter.store(counter.load(std::memory_order_relaxed) + change, std::memory_order_relaxed);
}

void EventQueue::push(Knote& knote) {
    const std::size_t list = list_of(knote);
    knote.queued_ = true;
    knote.generation_ = generation.load(std::memory_order_relaxed);
    lists_[list].push_back(knote);
    count(lengths_[list], 1);
    if (knote.pinned_ && !knote.handed_)
        count(pinned_, 1);
}

void EventQueue::push_handed(Knote& knote) {
    knote.handed_ = true;
    push(knote);
}

void EventQueue::take_back_handed() {
    for (std::uint32_t left = length(Waiting::Handed); left; left--) {
        Knote& knote = *front(Waiting::Handed);
        remove(knote);
        push(knote);
    }
}

Knote* EventQueue::front(Waiting kind) {
    return lists_[static_cast<std::size_t>(kind)].front();
}

Knote* EventQueue::pop(Waiting kind) {
    Knote* knote = front(kind);
    if (knote)
        remove(*knote);
    return knote;
}

void EventQueue::remove(Knote& knote) {
    if (knote.pinned_ && !knote.handed_)
        count(pinned_, ~0u);
    count(lengths_[list_of(knote)], ~0u);
    List<Knote, ActiveKnoteTag>::remove(knote);
    knote.queued_ = false;
    knote.handed_ = false;
}

void EventQueue::set_urgency(Knote& knote, bool realtime) {
    const bool waits = knote.queued_, handed = knote.handed_;
    if (waits)
        remove(knote);
    knote.realtime_ = realtime;
    knote.pinned_ = false;
    if (waits)
        handed ? push_handed(knote) : push(knote);
}

void EventQueue::adopt(Knote& knote) {
    if (knote.queued_)
        knote.queue().remove(knote);
    knote.pinned_ = false;
    knote.queue_.store(this, std::memory_order_release);
    push(knote);
}

bool EventQueue::stealable() const {
    return length(Waiting::Realtime) + length(Waiting::Normal) >
           pinned_.load(std::memory_order_relaxed);
}

Load EventQueue::load(Nanoseconds unknown) const {
    const Nanoseconds average = average_.load(std::memory_order_relaxed);
    return {.average = average ? average : unknown,
            .queued = length(Waiting::Realtime) + length(Waiting::Normal),
            .idle = idle.load(std::memory_order_relaxed)};
}

void EventQueue::begin_collection(Nanoseconds now, std::atomic<Nanoseconds>& of_all) {
    if (!returned_events_)
        return;
    const Nanoseconds sample = (now - returned_) / returned_events_;
    returned_events_ = 0;
    for (std::atomic<Nanoseconds>* average : {&average_, &of_all}) {
        const Nanoseconds old = average->load(std::memory_order_relaxed);
        average->store(std::max<Nanoseconds>(old ? smoothed(old, sample) : sample, 1),
                       std::memory_order_relaxed);
    }
}

void EventQueue::end_collection(Nanoseconds now, std::size_t events) {
    returned_ = now;
    returned_events_ = events;
}

void EventQueue::begin_service() {
    generation.fetch_add(1, std::memory_order_relaxed);
    average_.store(0, std::memory_order_relaxed);
    returned_events_ = 0;
    open.store(true, std::memory_order_release);
}

}  // namespace skep::kernel
