#include <kernel/base/log.hpp>
#include <kernel/sched/thread.hpp>
#include <kernel/sync/wait.hpp>

namespace skep::kernel {

void Mutex::lock() {
    SpinGuard guard(lock_);
    if (owner_ == &current_thread())
        panic("mutex {} taken twice by one thread", name_);
    while (owner_)
        (void)waiters_.wait(guard, Sleep::Uninterruptible);
    owner_ = &current_thread();
}

bool Mutex::try_lock() {
    const SpinGuard guard(lock_);
    if (owner_)
        return false;
    owner_ = &current_thread();
    return true;
}

void Mutex::unlock() {
    const SpinGuard guard(lock_);
    owner_ = nullptr;
    waiters_.wake_one();
}

bool Mutex::held() const {
    return owner_ == &current_thread();
}

}  // namespace skep::kernel
