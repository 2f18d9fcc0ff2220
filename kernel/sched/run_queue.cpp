#include <kernel/sched/scheduler.hpp>

#include <bit>

namespace skep::kernel {

namespace {

// Every so many choices the least urgent level that waits comes first, so that none starves.
constexpr unsigned kFairness = 16;

}  // namespace

void RunQueue::put(Thread& thread, bool front) {
    SpinGuard guard(lock_);
    if (front)
        lists_[thread.level].push_front(thread);
    else
        lists_[thread.level].push_back(thread);
    bitmap_.store(bitmap_.load(std::memory_order_relaxed) | 1u << thread.level, std::memory_order_relaxed);
    length_.fetch_add(1, std::memory_order_relaxed);
}

void RunQueue::remove(Thread& thread) {
    List<Thread, RunTag>::remove(thread);
    if (lists_[thread.level].empty())
        bitmap_.store(bitmap_.load(std::memory_order_relaxed) & ~(1u << thread.level), std::memory_order_relaxed);
    length_.fetch_sub(1, std::memory_order_relaxed);
}

Thread* RunQueue::take(std::uint32_t) {
    SpinGuard guard(lock_);
    const std::uint32_t waiting = bitmap_.load(std::memory_order_relaxed);
    if (waiting == 0)
        return nullptr;
    const int level = ++takes_ % kFairness == 0 ? std::bit_width(waiting) - 1 : std::countr_zero(waiting);
    Thread* thread = lists_[static_cast<std::size_t>(level)].front();
    remove(*thread);
    return thread;
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
