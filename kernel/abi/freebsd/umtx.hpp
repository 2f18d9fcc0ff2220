// _umtx_op(2): sleeping on user memory, and the locks that are made of it. Layouts: sys/_umtx.h,
// sys/umtx.h.
#pragma once

#include <kernel/mm/user.hpp>
#include <kernel/sync/wait.hpp>

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
inline constexpr std::uint32_t kMutexUnowned = 0, kMutexContested = 0x8000'0000;
inline constexpr std::uint32_t kMutexShared = 1,
                               kMutexErrorCheck = 2;  // USYNC_PROCESS_SHARED, UMUTEX_ERROR_CHECK

Result<> lock_user_mutex(UserAddr mutex, bool try_only, Nanoseconds deadline);
Result<> unlock_user_mutex(UserAddr mutex);

}  // namespace skep::kernel::freebsd_abi
