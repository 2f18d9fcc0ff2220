#include <kernel/event/thread_queues.hpp>

#include <kernel/event/kqueue.hpp>

#include <utility>

namespace skep::kernel {

EventQueue* ThreadQueues::find(const Kqueue& kqueue) const {
    EventQueue* queue = buckets_[bucket(kqueue)];
    while (queue && queue->kqueue != &kqueue)
        queue = queue->next_of_thread;
    return queue;
}

void ThreadQueues::add(EventQueue& queue) {
    EventQueue*& head = buckets_[bucket(*queue.kqueue)];
    queue.next_of_thread = head;
    head = &queue;
}

void ThreadQueues::forget_closed() {
    for (EventQueue*& head : buckets_)
        for (EventQueue** link = &head; *link;) {
            EventQueue& queue = **link;
            if (!queue.kqueue->closed()) {
                link = &queue.next_of_thread;
                continue;
            }
            *link = queue.next_of_thread;
            const Ref<RefCounted> last = std::move(queue.keeps_kqueue);  // that owns the queue
        }
}

void ThreadQueues::leave() {
    for (EventQueue*& head : buckets_)
        while (EventQueue* queue = head) {
            head = queue->next_of_thread;
            const Ref<RefCounted> kept = std::move(queue->keeps_kqueue);
            queue->kqueue->leave(*queue);
        }
}

}  // namespace skep::kernel
