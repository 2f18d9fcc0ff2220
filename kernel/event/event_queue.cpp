#include <kernel/event/event_queue.hpp>

namespace skep::kernel {

Urgency EventQueue::urgency_of(const Knote& knote) {
    return knote.realtime_ ? Urgency::Realtime : Urgency::Normal;
}

void EventQueue::push(Knote& knote) {
    const Urgency urgency = urgency_of(knote);
    knote.queued_ = true;
    list(urgency).push_back(knote);
    count(urgency)++;
}

Knote* EventQueue::pop(Urgency urgency) {
    Knote* knote = list(urgency).pop_front();
    if (knote) {
        knote->queued_ = false;
        count(urgency)--;
    }
    return knote;
}

void EventQueue::remove(Knote& knote) {
    List<Knote, ActiveKnoteTag>::remove(knote);
    knote.queued_ = false;
    count(urgency_of(knote))--;
}

}  // namespace skep::kernel
