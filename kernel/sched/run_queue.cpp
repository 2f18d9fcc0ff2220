#include <kernel/sched/run_queue.hpp>

#include <algorithm>
#include <bit>

namespace skep::kernel {

void RunQueue::put_back(Thread& thread, Nanoseconds now) {
    SpinGuard guard(lock_);
    thread.queued_at = now;
    put(thread, false);
}

void RunQueue::put_front(Thread& thread) {
    SpinGuard guard(lock_);
    put(thread, true);
}

void RunQueue::put(Thread& thread, bool front) {
    thread.run_queue.store(
        this);  // before its urgency is read: whoever lends meanwhile finds it here, or is seen
    thread.queued_level = std::min(thread.level, thread.lent.load());
    if (front)
        lists_[thread.queued_level].push_front(thread);
    else
        lists_[thread.queued_level].push_back(thread);
    bitmap_.store(bitmap_.load(std::memory_order_relaxed) | 1u << thread.queued_level,
                  std::memory_order_relaxed);
    length_.fetch_add(1, std::memory_order_relaxed);
}

void RunQueue::remove(Thread& thread) {
    List<Thread, RunTag>::remove(thread);
    thread.run_queue.store(nullptr);
    if (lists_[thread.queued_level].empty())
        bitmap_.store(bitmap_.load(std::memory_order_relaxed) & ~(1u << thread.queued_level),
                      std::memory_order_relaxed);
    length_.fetch_sub(1, std::memory_order_relaxed);
}

Thread* RunQueue::longest_waiting() {
    Thread* longest = nullptr;
    for (std::size_t level = kLevelUserFirst; level < kLevels; level++)
        if (Thread* thread = lists_[level].front();
            thread && (!longest || thread->queued_at < longest->queued_at))
            longest = thread;
    return longest;
}

Thread* RunQueue::take(Nanoseconds now) {
    SpinGuard guard(lock_);
    const std::uint32_t waiting = bitmap_.load(std::memory_order_relaxed);
    if (waiting == 0)
        return nullptr;
    const auto level = static_cast<std::size_t>(std::countr_zero(waiting));
    if (level != kLevelKernel && ++takes_ % 2 == 0)
        if (Thread* thread = longest_waiting(); now > thread->queued_at + kPatience) {
            remove(*thread);
            thread->level = kLevelUserFirst;
            return thread;
        }
    Thread* thread = with_slice_left(lists_[level]);
    remove(*thread);
    return thread;
}

// Who overran its last slice, be it that the timer's interrupt came late, lets others go first
// until that is made up for: so shares stay as the slices are.
Thread* RunQueue::with_slice_left(List<Thread, RunTag>& list) {
    for (std::uint32_t left = length_.load(std::memory_order_relaxed); left > 0; left--) {
        Thread& first = *list.front();
        if (!first.slice_ended())
            break;
        first.slice_used -= first.slice.load(std::memory_order_relaxed);
        List<Thread, RunTag>::remove(first);
        list.push_back(first);
    }
    return list.front();
}

bool RunQueue::move(Thread& thread) {
    SpinGuard guard(lock_);
    if (thread.run_queue.load() != this)
        return false;
    if (thread.queued_level != thread.urgency()) {
        remove(thread);
        put(thread, false);
    }
    return true;
}

Thread* RunQueue::steal(std::uint32_t thief) {
    SpinGuard guard(lock_);
    for (auto& list : lists_)
        for (Thread& thread : list)
            if (!thread.on_cpu.load(std::memory_order_acquire) && thread.affinity >> thief & 1) {
                remove(thread);
                return &thread;
            }
    return nullptr;
}

}  // namespace skep::kernel
