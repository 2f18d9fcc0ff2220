#include <kernel/sync/wait.hpp>

#include <kernel/base/log.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/sched/thread_impl.hpp>

namespace skep::kernel {

struct WaitQueue::Waiter : ListNode<> {
    explicit Waiter(Thread& sleeper) : thread(sleeper) {}
    Thread& thread;
    bool woken = false;  // by wake_one or wake_all; under the queue's lock
};

Result<> WaitQueue::wait(SpinGuard& guard, Sleep how, Nanoseconds deadline) {
    if (!guard.interrupts_)
        panic("sleep with another spin lock held, or in an interrupt handler");
    Thread& me = current_thread();
    Waiter waiter(me);
    // Interrupts stay masked until the switch: from begin_sleep on, this thread must not be
    // preempted.
    begin_sleep(how);
    {
        const SpinGuard list(lock_);
        waiters_.push_back(waiter);
    }
    guard.lock_.unlock(false);

    Timer timer([](Timer&, void* thread) { wake(*static_cast<Thread*>(thread)); }, &me);
    if (deadline != kForever)
        timer.arm(deadline);
    if (how == Sleep::Interruptible && signal_pending())
        cancel_sleep();
    else
        sleep_now();
    if (deadline != kForever)
        timer.cancel();

    (void)guard.lock_.lock();
    const SpinGuard list(lock_);
    if (waiter.linked())
        List<Waiter>::remove(waiter);
    if (waiter.woken)
        return {};
    if (how == Sleep::Interruptible && signal_pending())
        return fail(Errno::Intr);
    if (deadline != kForever && monotonic_now() >= deadline)
        return fail(Errno::TimedOut);
    return {};
}

void WaitQueue::wake_one() {
    const SpinGuard guard(lock_);
    if (Waiter* waiter = waiters_.pop_front()) {
        waiter->woken = true;
        wake(waiter->thread);
    }
}

void WaitQueue::wake_all() {
    const SpinGuard guard(lock_);
    while (Waiter* waiter = waiters_.pop_front()) {
        waiter->woken = true;
        wake(waiter->thread);
    }
}

}  // namespace skep::kernel
