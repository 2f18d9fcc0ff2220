// struct umutex: the lock of libthr's mutexes. Its word names the owner, with a mark that somebody
// waits.
#include <kernel/abi/freebsd/umtx.hpp>
#include <kernel/proc/futex.hpp>
#include <kernel/sched/thread_impl.hpp>

namespace skep::kernel::freebsd_abi {

namespace {

constexpr std::uint32_t kEveryone = ~0u;

std::uint32_t id_of(const Thread& thread) {
    return static_cast<std::uint32_t>(thread.id);
}

bool is_shared(std::uint32_t flags) {
    return flags & kMutexShared;
}

bool is_free(std::uint32_t owner) {
    return owner == kMutexUnowned || owner == kMutexContested || owner == kMutexOwnerDead ||
           owner == kMutexNotRecoverable;
}

// Waits until the mutex may be free, without taking it.
Result<> wait_while_owned(UserAddr mutex, std::uint32_t owner, bool shared, Nanoseconds deadline) {
    std::uint32_t seen = owner;
    if (!(owner & kMutexContested)) {
        if (!SKEP_TRY(exchange_user32(mutex, seen, owner | kMutexContested)))
            return {};
        owner |= kMutexContested;
    }
    const Result<> waited = futex_wait(mutex, shared, owner, kEveryone, deadline);
    if (!waited && waited.error() != Errno::Again)
        return waited;
    return {};
}

// From `owner` to a word that says that nobody has it, or why nobody can.
Result<> unlock(UserAddr mutex, std::uint32_t owner, std::uint32_t flags, std::uint32_t free) {
    for (;;) {
        std::uint32_t seen = SKEP_TRY(load_user32(mutex));
        if ((seen & ~kMutexContested) != owner)
            return fail(Errno::Perm);
        const bool contested = seen & kMutexContested;
        if (!SKEP_TRY(exchange_user32(mutex, seen, contested ? free | kMutexContested : free)))
            continue;
        if (!contested)
            return {};
        if (free == kMutexUnowned)
            return wake_user_mutex(mutex, flags);
        // Nobody gets a mutex that cannot be recovered: all are told.
        SKEP_TRY(futex_wake(mutex, is_shared(flags), free == kMutexNotRecoverable ? kEveryone : 1,
                            kEveryone));
        return {};
    }
}

}  // namespace

Result<> lock_user_mutex(UserAddr mutex, bool try_only, Nanoseconds deadline) {
    const auto m = SKEP_TRY(copy_in<UserMutex>(mutex));
    const std::uint32_t me = id_of(current_thread());
    for (;;) {
        std::uint32_t owner = kMutexUnowned;
        if (SKEP_TRY(exchange_user32(mutex, owner, me)))
            return {};
        if (owner == kMutexNotRecoverable)
            return fail(Errno::NotRecoverable);
        if (owner == kMutexContested || owner == kMutexOwnerDead) {
            const bool died = owner == kMutexOwnerDead;
            if (!SKEP_TRY(exchange_user32(mutex, owner, me | kMutexContested)))
                continue;
            return died ? Result<>(fail(Errno::OwnerDead)) : Result<>();
        }
        if ((owner & ~kMutexContested) == me && m.flags & kMutexErrorCheck)
            return fail(Errno::Deadlk);
        if (try_only)
            return fail(Errno::Busy);
        SKEP_TRY(wait_while_owned(mutex, owner, is_shared(m.flags), deadline));
    }
}

Result<> unlock_user_mutex(UserAddr mutex) {
    const auto m = SKEP_TRY(copy_in<UserMutex>(mutex));
    return unlock(mutex, id_of(current_thread()), m.flags,
                  m.flags & kMutexNotConsistent ? kMutexNotRecoverable : kMutexUnowned);
}

Result<> give_up_user_mutex(UserAddr mutex, const Thread& owner) {
    const auto m = SKEP_TRY(copy_in<UserMutex>(mutex));
    return unlock(mutex, id_of(owner), m.flags, kMutexOwnerDead);
}

Result<> wait_user_mutex(UserAddr mutex, Nanoseconds deadline) {
    const auto m = SKEP_TRY(copy_in<UserMutex>(mutex));
    const std::uint32_t owner = SKEP_TRY(load_user32(mutex));
    if (is_free(owner))
        return {};
    return wait_while_owned(mutex, owner, is_shared(m.flags), deadline);
}

// With nobody left to wake the mark goes away.
Result<> wake_user_mutex(UserAddr mutex, std::uint32_t flags) {
    if (SKEP_TRY(futex_wake(mutex, is_shared(flags), 1, kEveryone)) == 0) {
        std::uint32_t expected = kMutexContested;
        SKEP_TRY(exchange_user32(mutex, expected, kMutexUnowned));
    }
    return {};
}

}  // namespace skep::kernel::freebsd_abi
