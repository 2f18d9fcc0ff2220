// Sleeping: wait queues and the sleep mutex. Times are nanoseconds of the monotonic clock
// (kernel/sched/clock.hpp); kForever never comes.
#pragma once

#include <kernel/base/errno.hpp>
#include <kernel/base/list.hpp>
#include <kernel/sync/lock_order.hpp>
#include <kernel/sync/spinlock.hpp>

namespace skep::kernel {

class Thread;

using Nanoseconds = std::uint64_t;
inline constexpr Nanoseconds kForever = ~0ull;

enum class Sleep : std::uint8_t {
    Uninterruptible,
    Interruptible,  // a deliverable signal or the death of the process ends it with Intr
};

// Threads waiting for a condition that a SpinLock protects. wait() gives up the guard's lock and
// takes it again before it returns; as always, check the condition in a loop.
class WaitQueue {
  public:
    WaitQueue() = default;
    // Errors: Intr, TimedOut (deadline is absolute, monotonic).
    Result<> wait(SpinGuard& guard, Sleep how = Sleep::Interruptible,
                  Nanoseconds deadline = kForever);
    void wake_one();  // may be called with or without the lock, also from interrupt handlers
    void wake_all();

  private:
    SpinLock lock_{"WaitQueue"};
    struct Waiter;
    List<Waiter> waiters_;
};

// Sleep lock for long critical sections (vnodes, maps). Not from interrupt handlers. Who waits
// lends its urgency to the owner until that gives it up.
class Mutex {
  public:
    explicit Mutex(SleepLockName name) : name_(name) {}
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;
    void lock();
    bool try_lock();
    void unlock();
    bool held() const;  // by the current thread

  private:
    struct Waiter;
    static Thread* owner_of(std::uintptr_t state);
    static void lend(Thread& owner, std::uint8_t urgency);
    Waiter* first_waiter();
    void lock_contended(Thread& me);
    void wait(SpinGuard& guard, Thread& me, Thread& owner);

    std::atomic<std::uintptr_t> state_{0};  // the owner; bit 0: somebody waits
    List<Waiter> waiters_;
    SleepLockName name_;
};

class [[nodiscard]] MutexGuard {
  public:
    explicit MutexGuard(Mutex& mutex) : mutex_(mutex) { mutex_.lock(); }
    ~MutexGuard() {
        if (held_)
            mutex_.unlock();
    }
    MutexGuard(const MutexGuard&) = delete;
    MutexGuard& operator=(const MutexGuard&) = delete;
    void unlock() {
        held_ = false;
        mutex_.unlock();
    }

  private:
    Mutex& mutex_;
    bool held_ = true;
};

}  // namespace skep::kernel
