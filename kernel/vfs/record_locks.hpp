// Advisory locks on byte ranges of a file (fcntl), and on the whole file (flock). An owner is a
// process (its descriptor table: POSIX locks), or an open file (OFD locks, flock).
#pragma once

#include <kernel/base/vector.hpp>
#include <kernel/sync/wait.hpp>

#include <cstdint>

namespace skep::kernel {

enum class LockType : std::uint8_t {
    Shared,
    Exclusive,
    Unlock
};

struct RecordLock {
    const void* owner = nullptr;
    std::int32_t process = 0;  // for F_GETLK; -1: an open file's
    LockType type = LockType::Unlock;
    std::uint64_t first = 0, last = ~0ull;  // inclusive
};

class RecordLocks {
  public:
    // Grants, changes or releases. Without `wait`: Again if another owner's lock is in the way.
    // With: sleeps until it is gone; Intr; Deadlk is not detected (the sleep ends by signals only).
    Result<> set(const RecordLock&, bool wait);
    // The first lock that would be in the way of `wanted`; type Unlock: none.
    RecordLock conflict(const RecordLock& wanted);
    void release_owner(const void* owner);

  private:
    const RecordLock* blocker(const RecordLock& wanted) const;
    Result<> apply(const RecordLock&, Vector<RecordLock>& fresh) const;

    SpinLock lock_{"RecordLocks"};
    WaitQueue changed_;
    Vector<RecordLock> locks_;
};

}  // namespace skep::kernel
