// Spin locks. A SpinLock masks interrupts of its CPU while held, so it may be taken from interrupt
// handlers and protects against them; never sleep, allocate, or touch user memory under one.
#pragma once

#include <kernel/sync/lock_order.hpp>

#include <atomic>
#include <cstdint>

namespace skep::kernel {

class SpinLock {
  public:
    constexpr explicit SpinLock(SpinLockName name) : name_(name) {}
    SpinLock(const SpinLock&) = delete;
    SpinLock& operator=(const SpinLock&) = delete;
    // Returns whether interrupts were on; to be given to unlock().
    [[nodiscard]] bool lock();
    void unlock(bool interrupts_were_on);
    bool held() const;  // by this CPU

  private:
    std::atomic<std::uint32_t> owner_{0};  // CPU number + 1
    SpinLockName name_;
};

// Of test builds: panics if this CPU holds one.
void check_no_spin_lock_held(std::string_view what);

// Holding it is a type: the usual way to take a SpinLock.
class [[nodiscard]] SpinGuard {
  public:
    explicit SpinGuard(SpinLock& lock) : lock_(lock), interrupts_(lock.lock()) {}
    ~SpinGuard() {
        if (held_)
            lock_.unlock(interrupts_);
    }
    SpinGuard(const SpinGuard&) = delete;
    SpinGuard& operator=(const SpinGuard&) = delete;
    void unlock() {
        held_ = false;
        lock_.unlock(interrupts_);
    }
    void relock() {
        interrupts_ = lock_.lock();
        held_ = true;
    }

  private:
    friend class WaitQueue;  // these give the lock up without unmasking interrupts
    friend class Mutex;
    SpinLock& lock_;
    bool interrupts_;
    bool held_ = true;
};

}  // namespace skep::kernel
