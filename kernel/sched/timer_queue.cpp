#include <kernel/sched/timer_queue.hpp>

#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/sched/scheduler.hpp>

namespace skep::kernel {

void TimerQueue::arm(Timer& timer, std::uint32_t cpu, Nanoseconds deadline) {
    SpinGuard guard(lock_);
    timer.deadline_ = deadline;
    timer.cpu_.store(cpu, std::memory_order_relaxed);
    timer.armed_.store(true, std::memory_order_relaxed);
    heap_.push(timer);
}

void TimerQueue::cancel(Timer& timer) {
    SpinGuard guard(lock_);
    if (timer.armed_.load(std::memory_order_relaxed)) {
        heap_.remove(timer);
        timer.armed_.store(false, std::memory_order_relaxed);
    }
}

void TimerQueue::run(Nanoseconds now) {
    SpinGuard guard(lock_);
    for (;;) {
        Timer* timer = heap_.top();
        if (!timer || timer->deadline_ > now)
            return;
        heap_.remove(*timer);
        timer->armed_.store(false, std::memory_order_relaxed);
        running_.store(timer, std::memory_order_relaxed);
        guard.unlock();
        timer->callback_(*timer, timer->context_);
        running_.store(nullptr, std::memory_order_release);  // `timer` may be gone already
        guard.relock();
    }
}

Nanoseconds TimerQueue::next_deadline() {
    SpinGuard guard(lock_);
    return heap_.empty() ? kForever : heap_.top()->deadline_;
}

void Timer::arm(Nanoseconds deadline) {
    const InterruptsOff off;
    if (used_)
        cpus[cpu_.load(std::memory_order_relaxed)]->timers->cancel(*this);
    used_ = true;
    this_cpu().timers->arm(*this, this_cpu().number, deadline);
    update_timer_interrupt();
}

void Timer::cancel() {
    if (!used_)
        return;
    // The callback may re-arm on the CPU it runs on, which is the queue's own: the number stays.
    const InterruptsOff off;
    const std::uint32_t cpu = cpu_.load(std::memory_order_relaxed);
    TimerQueue& queue = *cpus[cpu]->timers;
    queue.cancel(*this);
    if (cpu == this_cpu().number)
        return;  // called by the callback itself, or it is not running
    while (queue.is_running(*this))
        pause();
    queue.cancel(*this);  // it may have re-armed itself meanwhile
}

}  // namespace skep::kernel
