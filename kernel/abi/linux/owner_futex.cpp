#include <kernel/abi/linux/owner_futex.hpp>

#include <kernel/proc/futex.hpp>
#include <kernel/proc/process.hpp>

namespace skep::kernel::linux_abi {

namespace {

// linux/futex.h
constexpr std::uint32_t kWaiters = 0x8000'0000, kOwnerDied = 0x4000'0000, kOwner = 0x3fff'ffff;
constexpr std::uint32_t kEveryone = ~0u;

std::uint32_t own_id() {
    return static_cast<std::uint32_t>(current_thread().id);
}

bool is_thread(std::uint32_t id) {
    const SpinGuard guard(process_lock);
    return find_thread(static_cast<std::int32_t>(id)) != nullptr;
}

}  // namespace

Result<> lock_owned(UserAddr word, bool shared, bool wait, Nanoseconds deadline) {
    // Whoever was woken may not be the last that slept: it takes the lock as one that others wait
    // for.
    std::uint32_t waiters = 0;
    for (;;) {
        std::uint32_t seen = SKEP_TRY(load_user32(word));
        if (!(seen & kOwner)) {
            if (SKEP_TRY(exchange_user32(word, seen,
                                         own_id() | waiters | (seen & (kWaiters | kOwnerDied)))))
                return {};
            continue;
        }
        if ((seen & kOwner) == own_id())
            return fail(Errno::Deadlk);
        if (!wait)
            return fail(Errno::Again);
        if (!is_thread(seen & kOwner)) {
            // It may have let go and ended since the word was read.
            if (SKEP_TRY(load_user32(word)) == seen)
                return fail(Errno::Srch);
            continue;
        }
        if (!(seen & kWaiters)) {
            std::uint32_t expected = seen;
            if (!SKEP_TRY(exchange_user32(word, expected, seen | kWaiters)))
                continue;
        }
        const Result<> waited = futex_wait(word, shared, seen | kWaiters, kEveryone, deadline);
        if (!waited && waited.error() != Errno::Again)
            return waited;
        waiters = kWaiters;
    }
}

// The mark of waiters stays while one may sleep, so that the fast path of programs, a word of 0, is
// closed until nobody was there to wake.
Result<> unlock_owned(UserAddr word, bool shared) {
    for (;;) {
        std::uint32_t seen = SKEP_TRY(load_user32(word));
        if ((seen & kOwner) != own_id())
            return fail(Errno::Perm);
        if (SKEP_TRY(exchange_user32(word, seen, seen & kWaiters)))
            break;
    }
    if (SKEP_TRY(futex_wake(word, shared, 1, kEveryone)) == 0) {
        std::uint32_t nobody = kWaiters;
        SKEP_TRY(exchange_user32(word, nobody, 0));
    }
    return {};
}

}  // namespace skep::kernel::linux_abi
