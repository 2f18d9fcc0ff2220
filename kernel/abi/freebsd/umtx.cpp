#include <kernel/abi/freebsd/umtx.hpp>

#include <kernel/abi/freebsd/clock.hpp>
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/abi/freebsd/thread_calls.hpp>
#include <kernel/abi/freebsd/umtx_locks.hpp>
#include <kernel/abi/time.hpp>
#include <kernel/base/vector.hpp>
#include <kernel/proc/futex.hpp>

#include <limits>

namespace skep::kernel::freebsd_abi {

namespace {

constexpr std::uint32_t kEveryone = ~0u;

// The timeout of an operation: `size` bytes at `at`, a timespec (relative) or a struct _umtx_time.
Result<Nanoseconds> timeout_argument(std::uint64_t size, UserAddr at) {
    if (!at)
        return kForever;
    const Nanoseconds time = SKEP_TRY(abi::copy_in_timespec(at));
    if (size <= sizeof(abi::Timespec))
        return abi::deadline_after(time);
    const auto whole = SKEP_TRY(copy_in<UmtxTime>(at));
    if (!(whole.flags & kUmtxAbsoluteTime))
        return abi::deadline_after(time);
    return deadline_of(whole.clock, time);
}

// Sleeps unless the value differs already; both are success.
Result<std::uint64_t> wait(UserAddr address, bool shared, std::uint32_t value, std::uint64_t size,
                           UserAddr timeout) {
    const Nanoseconds deadline = SKEP_TRY(timeout_argument(size, timeout));
    const Result<> waited = futex_wait(address, shared, value, kEveryone, deadline);
    if (!waited && waited.error() != Errno::Again)
        return fail(waited.error());
    return 0;
}

// A long: the lower half decides once the upper one is as expected; who changes the upper one wakes
// as well.
Result<std::uint64_t> wait_long(UserAddr address, std::uint64_t value, std::uint64_t size,
                                UserAddr timeout) {
    const auto upper = SKEP_TRY(load_user32(address + sizeof(std::uint32_t)));
    if (upper != value >> 32)
        return 0;
    return wait(address, true, static_cast<std::uint32_t>(value), size, timeout);
}

std::uint32_t count_argument(std::uint64_t value) {
    const auto count = static_cast<std::int32_t>(value);
    return count < 0 ? std::numeric_limits<std::int32_t>::max() : static_cast<std::uint32_t>(count);
}

Result<std::uint64_t> wake_many(UserAddr addresses, std::uint64_t count) {
    constexpr std::uint64_t kMax = 1 << 16;
    if (count > kMax)
        return fail(Errno::Inval);
    for (std::uint64_t i = 0; i < count; i++)
        SKEP_TRY(futex_wake(SKEP_TRY(copy_in<UserAddr>(addresses + i * sizeof(UserAddr))), false,
                            kEveryone, kEveryone));
    return 0;
}

// CVWAIT_*: how the timeout of a condition variable is meant.
Result<Nanoseconds> condition_deadline(UserAddr condition, std::uint64_t flags, UserAddr at) {
    constexpr std::uint64_t kAbsolute = 2, kOwnClock = 4;
    if (!at)
        return kForever;
    const Nanoseconds time = SKEP_TRY(abi::copy_in_timespec(at));
    if (!(flags & kAbsolute))
        return abi::deadline_after(time);
    const std::uint32_t clock = flags & kOwnClock
                                    ? SKEP_TRY(copy_in<UserCondition>(condition)).clock
                                    : static_cast<std::uint32_t>(Clock::Realtime);
    return deadline_of(clock, time);
}

}  // namespace

Result<std::uint64_t> umtx_op(const std::uint64_t* a) {
    const UserAddr object = a[0];
    const auto value = static_cast<std::uint32_t>(a[2]);
    switch (static_cast<UmtxOperation>(static_cast<std::uint32_t>(a[1]))) {
        case UmtxOperation::Wait:
            return wait_long(object, a[2], a[3], a[4]);
        case UmtxOperation::WaitUint:
            return wait(object, true, value, a[3], a[4]);
        case UmtxOperation::WaitUintPrivate:
            return wait(object, false, value, a[3], a[4]);
        case UmtxOperation::Wake:
            SKEP_TRY(futex_wake(object, true, count_argument(a[2]), kEveryone));
            return 0;
        case UmtxOperation::WakePrivate:
            SKEP_TRY(futex_wake(object, false, count_argument(a[2]), kEveryone));
            return 0;
        case UmtxOperation::WakeMany:
            return wake_many(object, a[2]);
        case UmtxOperation::ConditionWait:
            return done(
                wait_condition(object, a[3], SKEP_TRY(condition_deadline(object, a[2], a[4]))));
        case UmtxOperation::ConditionSignal:
        case UmtxOperation::ConditionBroadcast:
            return done(signal_condition(
                object, static_cast<UmtxOperation>(static_cast<std::uint32_t>(a[1])) ==
                            UmtxOperation::ConditionBroadcast));
        case UmtxOperation::ReadLock:
            return done(lock_for_reading(object, value, SKEP_TRY(timeout_argument(a[3], a[4]))));
        case UmtxOperation::WriteLock:
            return done(lock_for_writing(object, SKEP_TRY(timeout_argument(a[3], a[4]))));
        case UmtxOperation::RwUnlock:
            return done(unlock_rwlock(object));
        case UmtxOperation::SemaphoreWait:
            return done(wait_semaphore(object, SKEP_TRY(timeout_argument(a[3], a[4]))));
        case UmtxOperation::SemaphoreWake:
            return done(wake_semaphore(object));
        case UmtxOperation::Semaphore2Wait:
            return done(wait_semaphore2(object, SKEP_TRY(timeout_argument(a[3], a[4]))));
        case UmtxOperation::Semaphore2Wake:
            return done(wake_semaphore2(object));
        case UmtxOperation::RobustLists:
            return done(set_robust_lists(object, a[2]));
        case UmtxOperation::MutexTryLock:
            return done(lock_user_mutex(object, true, 0));
        case UmtxOperation::MutexLock:
            return done(lock_user_mutex(object, false, SKEP_TRY(timeout_argument(a[3], a[4]))));
        case UmtxOperation::MutexUnlock:
            return done(unlock_user_mutex(object));
        case UmtxOperation::MutexWait:
            return done(wait_user_mutex(object, SKEP_TRY(timeout_argument(a[3], a[4]))));
        case UmtxOperation::MutexWake:
            return done(wake_user_mutex(object, SKEP_TRY(copy_in<UserMutex>(object)).flags));
        case UmtxOperation::MutexWake2:  // the mutex may have been freed since
            return done(wake_user_mutex(object, value));
    }
    return fail(Errno::OpNotSupp);
}

}  // namespace skep::kernel::freebsd_abi
