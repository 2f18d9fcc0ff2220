// _umtx_op(2): sleeping on user memory, and the locks that are made of it. Layouts: sys/_umtx.h,
// sys/umtx.h.
#pragma once

#include <kernel/mm/user.hpp>
#include <kernel/sync/wait.hpp>

#include <cstddef>

namespace skep::kernel::freebsd_abi {

enum class UmtxOperation : std::uint32_t {
    Wait = 2,
    Wake = 3,
    MutexTryLock = 4,
    MutexLock = 5,
    MutexUnlock = 6,
    ConditionWait = 8,
    ConditionSignal = 9,
    ConditionBroadcast = 10,
    WaitUint = 11,
    ReadLock = 12,
    WriteLock = 13,
    RwUnlock = 14,
    WaitUintPrivate = 15,
    WakePrivate = 16,
    MutexWait = 17,
    MutexWake = 18,
    SemaphoreWait = 19,
    SemaphoreWake = 20,
    WakeMany = 21,
    MutexWake2 = 22,
    Semaphore2Wait = 23,
    Semaphore2Wake = 24,
    RobustLists = 26,
};

struct UmtxTime {
    std::int64_t seconds, nanoseconds;
    std::uint32_t flags, clock;
};
static_assert(sizeof(UmtxTime) == 24);
inline constexpr std::uint32_t kUmtxAbsoluteTime = 1;

struct UserMutex {
    std::uint32_t owner, flags;
    std::uint32_t ceilings[2];
    std::uint64_t robust_link;
    std::uint32_t spare[2];
};
static_assert(sizeof(UserMutex) == 32);
static_assert(offsetof(UserMutex, robust_link) == 16);
// UMUTEX_*: owners
inline constexpr std::uint32_t kMutexUnowned = 0, kMutexContested = 0x8000'0000,
                               kMutexOwnerDead = 0x8000'0010, kMutexNotRecoverable = 0x8000'0011;
// USYNC_PROCESS_SHARED and UMUTEX_*: flags
inline constexpr std::uint32_t kMutexShared = 1, kMutexErrorCheck = 2, kMutexPriorityInherit = 4,
                               kMutexRobust = 0x10, kMutexNotConsistent = 0x20;

struct RobustListsParameters {  // struct umtx_robust_lists_params: addresses of the heads
    std::uint64_t list, private_list, inactive;
};
static_assert(sizeof(RobustListsParameters) == 24);

// umtx_mutex.cpp. OwnerDead: it is the caller's, and its last owner died with it. NotRecoverable,
// Deadlk, Busy, TimedOut, Intr.
Result<> lock_user_mutex(UserAddr mutex, bool try_only, Nanoseconds deadline);
Result<> unlock_user_mutex(UserAddr mutex);  // Perm
// Sleeps until it may be free, without taking it.
Result<> wait_user_mutex(UserAddr mutex, Nanoseconds deadline);
// Wakes one who sleeps so.
Result<> wake_user_mutex(UserAddr mutex, std::uint32_t flags);

// umtx_robust.cpp
Result<> set_robust_lists(UserAddr parameters, std::uint64_t size);
void release_robust_mutexes(Thread& thread);
// As unlock_user_mutex(), by a thread that dies.
Result<> give_up_user_mutex(UserAddr mutex, const Thread& owner);

}  // namespace skep::kernel::freebsd_abi
