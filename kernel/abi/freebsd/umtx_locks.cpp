#include <kernel/abi/freebsd/umtx_locks.hpp>

#include <kernel/abi/freebsd/umtx.hpp>
#include <kernel/proc/futex.hpp>

#include <cstddef>

namespace skep::kernel::freebsd_abi {

namespace {

constexpr std::uint32_t kEveryone = ~0u, kAll = 0x7fff'ffff;
constexpr std::uint32_t kShared = 1;  // USYNC_PROCESS_SHARED

// A word that has changed already has woken the sleeper.
Result<> sleep_on(UserAddr word, bool shared, std::uint32_t value, std::uint32_t mask,
                  Nanoseconds deadline) {
    const Result<> waited = futex_wait(word, shared, value, mask, deadline);
    if (!waited && waited.error() != Errno::Again)
        return waited;
    return {};
}

// Changes a word of user memory as `change` says of its value. -> the value before.
template <typename F>
Result<std::uint32_t> update(UserAddr word, F change) {
    for (;;) {
        std::uint32_t seen = SKEP_TRY(load_user32(word));
        const std::uint32_t before = seen;
        if (SKEP_TRY(exchange_user32(word, seen, change(before))))
            return before;
    }
}

}  // namespace

// --- condition variables ---

Result<> wait_condition(UserAddr at, UserAddr mutex, Nanoseconds deadline) {
    const auto condition = SKEP_TRY(copy_in<UserCondition>(at));
    const UserAddr word = at + offsetof(UserCondition, wakes);
    const std::uint32_t wakes = SKEP_TRY(load_user32(word));
    // It stays set: clearing it could hide a thread that is on its way to sleep.
    SKEP_TRY(copy_out(at + offsetof(UserCondition, has_waiters), std::uint32_t{1}));
    SKEP_TRY(unlock_user_mutex(mutex));
    return sleep_on(word, condition.flags & kShared, wakes, kEveryone, deadline);
}

Result<> signal_condition(UserAddr at, bool all) {
    const auto condition = SKEP_TRY(copy_in<UserCondition>(at));
    const UserAddr word = at + offsetof(UserCondition, wakes);
    SKEP_TRY(update(word, [](std::uint32_t wakes) { return wakes + 1; }));
    SKEP_TRY(futex_wake(word, condition.flags & kShared, all ? kAll : 1, kEveryone));
    return {};
}

// --- reader-writer locks: readers and writers sleep on the state, told apart by their masks ---

namespace {

constexpr std::uint32_t kReader = 1, kWriter = 2;

struct Waiters {
    UserAddr lock;
    bool shared;
    std::uint32_t kind, bit;
    UserAddr count;  // where they are counted
};

Waiters readers_of(UserAddr lock, bool shared) {
    return {lock, shared, kReader, kRwReadWaiters, lock + offsetof(UserRwlock, blocked_readers)};
}
Waiters writers_of(UserAddr lock, bool shared) {
    return {lock, shared, kWriter, kRwWriteWaiters, lock + offsetof(UserRwlock, blocked_writers)};
}

// Sleeps while the state has a bit of `held`, or another word than it had.
Result<> wait_as(const Waiters& w, std::uint32_t held, Nanoseconds deadline) {
    SKEP_TRY(update(w.count, [](std::uint32_t n) { return n + 1; }));
    const auto sleep = [&]() -> Result<> {
        const std::uint32_t state =
            SKEP_TRY(update(w.lock, [&](std::uint32_t s) { return s & held ? s | w.bit : s; }));
        return state & held ? sleep_on(w.lock, w.shared, state | w.bit, w.kind, deadline)
                            : Result<>();
    };
    const Result<> slept = sleep();
    if (SKEP_TRY(update(w.count, [](std::uint32_t n) { return n - 1; })) == 1) {
        SKEP_TRY(update(w.lock, [&](std::uint32_t s) { return s & ~w.bit; }));
        // One that came meanwhile may sleep without its mark: it looks again.
        if (SKEP_TRY(load_user32(w.count)))
            SKEP_TRY(futex_wake(w.lock, w.shared, kAll, w.kind));
    }
    return slept;
}

}  // namespace

Result<> lock_for_reading(UserAddr at, std::uint32_t flags, Nanoseconds deadline) {
    const auto lock = SKEP_TRY(copy_in<UserRwlock>(at));
    const std::uint32_t held =
        (flags | lock.flags) & kRwPreferReader ? kRwWriteOwner : kRwWriteOwner | kRwWriteWaiters;
    for (;;) {
        std::uint32_t state = SKEP_TRY(load_user32(at));
        if (!(state & held)) {
            if ((state & kRwReaders) == kRwReaders)
                return fail(Errno::Again);
            if (SKEP_TRY(exchange_user32(at, state, state + 1)))
                return {};
            continue;
        }
        SKEP_TRY(wait_as(readers_of(at, lock.flags & kShared), held, deadline));
    }
}

Result<> lock_for_writing(UserAddr at, Nanoseconds deadline) {
    const auto lock = SKEP_TRY(copy_in<UserRwlock>(at));
    const bool shared = lock.flags & kShared;
    for (;;) {
        std::uint32_t state = SKEP_TRY(load_user32(at));
        if (!(state & (kRwWriteOwner | kRwReaders))) {
            if (SKEP_TRY(exchange_user32(at, state, state | kRwWriteOwner)))
                return {};
            continue;
        }
        const Result<> waited =
            wait_as(writers_of(at, shared), kRwWriteOwner | kRwReaders, deadline);
        if (!waited) {
            // Readers that kept back for this writer need not any more.
            if (!(SKEP_TRY(load_user32(at)) & kRwWriteWaiters))
                SKEP_TRY(futex_wake(at, shared, kAll, kReader));
            return waited;
        }
    }
}

Result<> unlock_rwlock(UserAddr at) {
    const auto lock = SKEP_TRY(copy_in<UserRwlock>(at));
    const bool shared = lock.flags & kShared;
    std::uint32_t after;
    for (;;) {
        std::uint32_t state = SKEP_TRY(load_user32(at));
        if (state & kRwWriteOwner)
            after = state & ~kRwWriteOwner;
        else if (state & kRwReaders)
            after = state - 1;
        else
            return fail(Errno::Perm);
        if (SKEP_TRY(exchange_user32(at, state, after)))
            break;
    }
    if (after & kRwReaders)
        return {};
    const bool readers_first = lock.flags & kRwPreferReader;
    if (after & kRwWriteWaiters && !(readers_first && after & kRwReadWaiters))
        if (SKEP_TRY(futex_wake(at, shared, 1, kWriter)))
            return {};
    if (after & kRwReadWaiters)
        SKEP_TRY(futex_wake(at, shared, kAll, kReader));
    return {};
}

// --- semaphores ---

Result<> wait_semaphore(UserAddr at, Nanoseconds deadline) {
    const auto semaphore = SKEP_TRY(copy_in<UserSemaphore>(at));
    SKEP_TRY(copy_out(at + offsetof(UserSemaphore, has_waiters), std::uint32_t{1}));
    return sleep_on(at + offsetof(UserSemaphore, count), semaphore.flags & kShared, 0, kEveryone,
                    deadline);
}

Result<> wake_semaphore(UserAddr at) {
    const auto semaphore = SKEP_TRY(copy_in<UserSemaphore>(at));
    SKEP_TRY(
        futex_wake(at + offsetof(UserSemaphore, count), semaphore.flags & kShared, 1, kEveryone));
    return {};
}

Result<> wait_semaphore2(UserAddr at, Nanoseconds deadline) {
    const auto semaphore = SKEP_TRY(copy_in<UserSemaphore2>(at));
    const std::uint32_t count = SKEP_TRY(update(at, [](std::uint32_t n) {
        return n & ~kSemaphoreHasWaiters ? n : n | kSemaphoreHasWaiters;
    }));
    if (count & ~kSemaphoreHasWaiters)
        return {};
    return sleep_on(at, semaphore.flags & kShared, kSemaphoreHasWaiters, kEveryone, deadline);
}

Result<> wake_semaphore2(UserAddr at) {
    const auto semaphore = SKEP_TRY(copy_in<UserSemaphore2>(at));
    SKEP_TRY(futex_wake(at, semaphore.flags & kShared, 1, kEveryone));
    return {};
}

}  // namespace skep::kernel::freebsd_abi
