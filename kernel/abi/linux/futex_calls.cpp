// futex(2): its operations, over proc/futex.hpp and owner_futex.hpp.
#include <kernel/abi/linux/owner_futex.hpp>
#include <kernel/abi/linux/tables.hpp>
#include <kernel/abi/linux/time.hpp>
#include <kernel/proc/futex.hpp>

#include <optional>

namespace skep::kernel::linux_abi {

namespace {

using Arguments = const std::uint64_t*;
using Returns = Result<std::uint64_t>;

// FUTEX_WAKE_OP's last argument (linux/futex.h, FUTEX_OP): from bit 28 what is done to the second
// word, from 24 how its old value is compared; from 12 and from 0 the numbers for both, signed.
struct WordChange {
    explicit WordChange(std::uint32_t encoded)
        : operation(encoded >> 28 & 7),
          comparison(encoded >> 24 & 15),
          operand(static_cast<std::int32_t>(encoded << 8) >> 20),
          compared(static_cast<std::int32_t>(encoded << 20) >> 20) {
        if (encoded >> 31)
            operand = static_cast<std::int32_t>(1u << (operand & 31));
    }
    bool known() const { return operation <= 4 && comparison <= 5; }
    std::uint32_t apply(std::uint32_t old) const {
        const auto number = static_cast<std::uint32_t>(operand);
        switch (operation) {
            case 0:
                return number;
            case 1:
                return old + number;
            case 2:
                return old | number;
            case 3:
                return old & ~number;
            default:
                return old ^ number;
        }
    }
    bool holds(std::uint32_t old) const {
        const auto number = static_cast<std::int32_t>(old);
        switch (comparison) {
            case 0:
                return number == compared;
            case 1:
                return number != compared;
            case 2:
                return number < compared;
            case 3:
                return number <= compared;
            case 4:
                return number > compared;
            default:
                return number >= compared;
        }
    }

    std::uint32_t operation, comparison;
    std::int32_t operand, compared;
};

// Changes the word at `second`, wakes up to `wake_first` at `first`, and, if the word's old value
// was as `encoded` says, up to `wake_second` at `second`. -> how many.
Result<std::uint64_t> wake_and_change(UserAddr first, UserAddr second, bool shared,
                                      std::uint32_t wake_first, std::uint32_t wake_second,
                                      std::uint32_t encoded) {
    const WordChange change(encoded);
    if (!change.known())
        return fail(Errno::NoSys);
    if (first % 4 != 0 || second % 4 != 0)
        return fail(Errno::Inval);
    std::uint32_t old = SKEP_TRY(load_user32(second));
    while (!SKEP_TRY(exchange_user32(second, old, change.apply(old)))) {
    }
    std::uint64_t woken = SKEP_TRY(futex_wake(first, shared, wake_first, ~0u));
    if (change.holds(old))
        woken += SKEP_TRY(futex_wake(second, shared, wake_second, ~0u));
    return woken;
}

Returns futex(Arguments a) {
    // linux/futex.h
    enum {
        Wait = 0,
        Wake = 1,
        Requeue = 3,
        CmpRequeue = 4,
        WakeOp = 5,
        LockPi = 6,
        UnlockPi = 7,
        TryLockPi = 8,
        WaitBitset = 9,
        WakeBitset = 10,
        LockPi2 = 13,
    };
    constexpr std::uint64_t kPrivate = 128, kClockRealtime = 256;
    const std::uint64_t op = a[1] & ~(kPrivate | kClockRealtime);
    const bool shared = !(a[1] & kPrivate);
    const auto value = static_cast<std::uint32_t>(a[2]);
    switch (op) {
        case Wait:
        case WaitBitset: {
            Nanoseconds deadline = kForever;
            if (a[3]) {
                const Nanoseconds time = SKEP_TRY(copy_in_timespec(a[3]));
                deadline = op == Wait ? deadline_after(time)
                                      : SKEP_TRY(deadline_of(a[1] & kClockRealtime ? 0 : 1, time));
            }
            const std::uint32_t mask = op == Wait ? ~0u : static_cast<std::uint32_t>(a[5]);
            if (mask == 0)
                return fail(Errno::Inval);
            const auto waited = futex_wait(a[0], shared, value, mask, deadline);
            if (!waited && waited.error() == Errno::Intr && deadline == kForever)
                return fail(Errno::Restart);
            SKEP_TRY(waited);
            return 0;
        }
        case Wake:
            return SKEP_TRY(futex_wake(a[0], shared, value, ~0u));
        case WakeBitset:
            if (static_cast<std::uint32_t>(a[5]) == 0)
                return fail(Errno::Inval);
            return SKEP_TRY(futex_wake(a[0], shared, value, static_cast<std::uint32_t>(a[5])));
        case Requeue:
            return SKEP_TRY(futex_requeue(a[0], a[4], shared, value,
                                          static_cast<std::uint32_t>(a[3]), std::nullopt));
        case CmpRequeue:
            return SKEP_TRY(futex_requeue(a[0], a[4], shared, value,
                                          static_cast<std::uint32_t>(a[3]),
                                          static_cast<std::uint32_t>(a[5])));
        case WakeOp:
            return SKEP_TRY(wake_and_change(a[0], a[4], shared, value,
                                            static_cast<std::uint32_t>(a[3]),
                                            static_cast<std::uint32_t>(a[5])));
        case LockPi:
        case LockPi2: {
            // LOCK_PI's time is always of CLOCK_REALTIME, LOCK_PI2's as the flag says.
            const bool realtime = op == LockPi || a[1] & kClockRealtime;
            const Nanoseconds deadline =
                a[3] ? SKEP_TRY(deadline_of(realtime ? 0 : 1, SKEP_TRY(copy_in_timespec(a[3]))))
                     : kForever;
            const auto locked = lock_owned(a[0], shared, true, deadline);
            if (!locked && locked.error() == Errno::Intr)
                return fail(Errno::Restart);  // times are absolute
            SKEP_TRY(locked);
            return 0;
        }
        case TryLockPi:
            SKEP_TRY(lock_owned(a[0], shared, false, 0));
            return 0;
        case UnlockPi:
            SKEP_TRY(unlock_owned(a[0], shared));
            return 0;
        default:
            return fail(Errno::NoSys);  // requeueing to a PI futex
    }
}

constexpr Syscall kCalls[] = {
    {202, "futex", 6, futex, SyscallStatus::Partial,
     "PI futexes lend no priority; no requeueing to PI"},
};

}  // namespace

const std::span<const Syscall> futex_calls = kCalls;

}  // namespace skep::kernel::linux_abi
