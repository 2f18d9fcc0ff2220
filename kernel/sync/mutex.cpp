#include <kernel/base/log.hpp>
#include <kernel/sched/thread_impl.hpp>
#include <kernel/sync/wait.hpp>

namespace skep::kernel {

namespace {

constexpr std::uintptr_t kContended = 1;

// Who waits for which mutex, and what urgency is lent. One lock for all: waits form chains from
// mutex to mutex. The owner of a contended mutex cannot give it up without it.
SpinLock waiting_lock{"mutex waiters"};

std::uintptr_t word(const Thread& owner) {
    return reinterpret_cast<std::uintptr_t>(&owner);
}

}  // namespace

struct Mutex::Waiter : ListNode<> {
    explicit Waiter(Thread& sleeper) : thread(sleeper) {}
    Thread& thread;
};

Thread* Mutex::owner_of(std::uintptr_t state) {
    return reinterpret_cast<Thread*>(state & ~kContended);
}

// The most urgent, the first of equals; null if nobody waits.
Mutex::Waiter* Mutex::first_waiter() {
    Waiter* first = nullptr;
    for (Waiter& waiter : waiters_)
        if (!first || waiter.thread.urgency() < first->thread.urgency())
            first = &waiter;
    return first;
}

// So that a thread of middling urgency does not keep the owner, and with it the waiter, from
// running: the owner runs like the waiter, and so does whoever the owner waits for.
void Mutex::lend(Thread& owner, std::uint8_t urgency) {
    for (Thread* t = &owner; t && urgency < t->urgency();) {
        t->lent.store(urgency);
        requeue(*t);
        const Mutex* next = t->waits_for;
        t = next ? owner_of(next->state_.load(std::memory_order_relaxed)) : nullptr;
    }
}

void Mutex::lock() {
    Thread& me = current_thread();
    if constexpr (kKernelChecks) {
        me.held_mutexes.check(name_);
        check_no_spin_lock_held(name_.view());
    }
    std::uintptr_t nobody = 0;
    if (!state_.compare_exchange_strong(nobody, word(me), std::memory_order_acquire))
        lock_contended(me);
    if constexpr (kKernelChecks)
        me.held_mutexes.add(name_);
}

void Mutex::lock_contended(Thread& me) {
    SpinGuard guard(waiting_lock);
    for (;;) {
        std::uintptr_t state = state_.load(std::memory_order_relaxed);
        Thread* owner = owner_of(state);
        if (owner == &me)
            panic("mutex {} taken twice by one thread", name_.view());
        if (owner) {
            if (!(state & kContended)) {
                if (!state_.compare_exchange_strong(state, state | kContended))
                    continue;
                owner->contended_mutexes++;
            }
            wait(guard, me, *owner);
            continue;
        }
        // Free. Those who still wait stay, and lend to the new owner.
        Waiter* first = first_waiter();
        if (!state_.compare_exchange_strong(state, word(me) | (first ? kContended : 0),
                                            std::memory_order_acquire))
            continue;
        if (first) {
            me.contended_mutexes++;
            lend(me, first->thread.urgency());
        }
        return;
    }
}

void Mutex::wait(SpinGuard& guard, Thread& me, Thread& owner) {
    if (!guard.interrupts_)
        panic("mutex {} taken with a spin lock held, or in an interrupt handler", name_.view());
    Waiter waiter(me);
    // As in WaitQueue::wait: no preemption between here and the switch.
    begin_sleep(Sleep::Uninterruptible);
    waiters_.push_back(waiter);
    me.waits_for = this;
    lend(owner, me.urgency());
    waiting_lock.unlock(false);
    sleep_now();
    (void)waiting_lock.lock();
}

bool Mutex::try_lock() {
    Thread& me = current_thread();
    std::uintptr_t nobody = 0;
    if (!state_.compare_exchange_strong(nobody, word(me), std::memory_order_acquire))
        return false;
    if constexpr (kKernelChecks)
        me.held_mutexes.add(name_);
    return true;
}

void Mutex::unlock() {
    Thread& me = current_thread();
    if constexpr (kKernelChecks)
        me.held_mutexes.remove(name_);
    std::uintptr_t mine = word(me);
    if (state_.compare_exchange_strong(mine, 0, std::memory_order_release))
        return;
    const SpinGuard guard(waiting_lock);
    if (--me.contended_mutexes == 0)
        me.lent.store(kNothingLent);
    Waiter* next = first_waiter();
    List<Waiter>::remove(*next);
    Thread& thread = next->thread;
    thread.waits_for = nullptr;
    state_.store(waiters_.empty() ? 0 : kContended, std::memory_order_release);
    wake(thread);
}

bool Mutex::held() const {
    return owner_of(state_.load(std::memory_order_relaxed)) == &current_thread();
}

}  // namespace skep::kernel
