// What _umtx_op(2) offers to libthr beside mutexes: condition variables, reader-writer locks,
// semaphores. The layouts are sys/_umtx.h's; the words that say "somebody waits" are only ever
// hints to make the call.
#pragma once

#include <kernel/mm/user.hpp>
#include <kernel/sync/wait.hpp>

namespace skep::kernel::freebsd_abi {

struct UserCondition {
    std::uint32_t has_waiters, flags, clock;
    std::uint32_t wakes;  // spare in FreeBSD: counts signals here, so that one between unlocking
                          // and sleeping is seen
};
static_assert(sizeof(UserCondition) == 16);

struct UserRwlock {
    std::uint32_t state, flags, blocked_readers, blocked_writers;
    std::uint32_t spare[4];
};
static_assert(sizeof(UserRwlock) == 32);
inline constexpr std::uint32_t kRwWriteOwner = 0x8000'0000, kRwWriteWaiters = 0x4000'0000,
                               kRwReadWaiters = 0x2000'0000, kRwReaders = 0x1fff'ffff;
inline constexpr std::uint32_t kRwPreferReader = 2;

struct UserSemaphore {
    std::uint32_t has_waiters, count, flags;
};
static_assert(sizeof(UserSemaphore) == 12);
struct UserSemaphore2 {
    std::uint32_t count, flags;
};
static_assert(sizeof(UserSemaphore2) == 8);
inline constexpr std::uint32_t kSemaphoreHasWaiters = 0x8000'0000;

// Unlocks the mutex and sleeps; the caller locks it again. Errors: TimedOut, Intr, Perm (not its
// mutex).
Result<> wait_condition(UserAddr condition, UserAddr mutex, Nanoseconds deadline);
Result<> signal_condition(UserAddr condition, bool all);

// Again: too many readers. TimedOut, Intr.
Result<> lock_for_reading(UserAddr lock, std::uint32_t flags, Nanoseconds deadline);
Result<> lock_for_writing(UserAddr lock, Nanoseconds deadline);
Result<> unlock_rwlock(UserAddr lock);  // Perm: nobody has it

// Sleep until the count may have become positive.
Result<> wait_semaphore(UserAddr semaphore, Nanoseconds deadline);
Result<> wake_semaphore(UserAddr semaphore);
Result<> wait_semaphore2(UserAddr semaphore, Nanoseconds deadline);
Result<> wake_semaphore2(UserAddr semaphore);

}  // namespace skep::kernel::freebsd_abi
