#include <kernel/vfs/record_locks.hpp>

#include <algorithm>

namespace skep::kernel {

const RecordLock* RecordLocks::blocker(const RecordLock& wanted) const {
    for (const RecordLock& held : locks_) {
        if (held.owner == wanted.owner || held.last < wanted.first || held.first > wanted.last)
            continue;
        if (held.type == LockType::Exclusive || wanted.type == LockType::Exclusive)
            return &held;
    }
    return nullptr;
}

// The locks with `change` made: pieces of the owner's older locks outside the range stay. `fresh`
// has room.
Result<> RecordLocks::apply(const RecordLock& change, Vector<RecordLock>& fresh) const {
    for (const RecordLock& held : locks_) {
        if (held.owner != change.owner || held.last < change.first || held.first > change.last) {
            SKEP_TRY(fresh.push_back(held));
            continue;
        }
        if (held.first < change.first) {
            RecordLock before = held;
            before.last = change.first - 1;
            SKEP_TRY(fresh.push_back(before));
        }
        if (held.last > change.last) {
            RecordLock after = held;
            after.first = change.last + 1;
            SKEP_TRY(fresh.push_back(after));
        }
    }
    if (change.type != LockType::Unlock)
        SKEP_TRY(fresh.push_back(change));
    return {};
}

Result<> RecordLocks::set(const RecordLock& wanted, bool wait) {
    for (;;) {
        Vector<RecordLock> fresh;  // a change adds two locks at most
        SpinGuard guard(lock_);
        const std::size_t room = locks_.size() + 2;
        guard.unlock();
        SKEP_TRY(fresh.reserve(room));
        guard.relock();
        if (locks_.size() + 2 > room)
            continue;
        if (wanted.type != LockType::Unlock && blocker(wanted)) {
            if (!wait)
                return fail(Errno::Again);
            SKEP_TRY(changed_.wait(guard));
            continue;
        }
        SKEP_TRY(apply(wanted, fresh));
        fresh.swap(locks_);
        guard.unlock();  // before the old array is freed
        changed_.wake_all();
        return {};
    }
}

RecordLock RecordLocks::conflict(const RecordLock& wanted) {
    SpinGuard guard(lock_);
    const RecordLock* held = blocker(wanted);
    return held ? *held : RecordLock{};
}

void RecordLocks::release_owner(const void* owner) {
    {
        SpinGuard guard(lock_);
        std::size_t kept = 0;
        for (std::size_t i = 0; i < locks_.size(); i++)
            if (locks_[i].owner != owner)
                locks_[kept++] = locks_[i];
        if (kept == locks_.size())
            return;
        (void)locks_.resize(kept);  // shrinking cannot fail
    }
    changed_.wake_all();
}

}  // namespace skep::kernel
