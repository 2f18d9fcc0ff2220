#include <kernel/abi/linux/owner_futex.hpp>

#include <kernel/proc/futex.hpp>
#include <kernel/proc/process.hpp>

#include <utility>

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

namespace {

struct RobustHead {  // struct robust_list_head
    std::uint64_t next;
    std::int64_t offset;  // of the word, from an entry
    std::uint64_t pending;
};
static_assert(sizeof(RobustHead) == 24);
constexpr std::uint64_t kPi = 1;  // in a pointer: its futex lends priority

// `pending`: it was about to be locked or unlocked. A word of 0 then is one that was unlocked,
// whose waiter may not be woken yet.
void mark_owner_dead(const Thread& thread, UserAddr word, bool pending, bool pi) {
    for (;;) {
        const auto value = load_user32(word);
        if (!value)
            return;
        const bool mine = (*value & kOwner) == static_cast<std::uint32_t>(thread.id);
        if (!mine && !(pending && !pi && *value == 0))
            return;
        if (mine) {
            std::uint32_t seen = *value;
            const auto exchanged = exchange_user32(word, seen, (*value & kWaiters) | kOwnerDied);
            if (!exchanged)
                return;
            if (!*exchanged)
                continue;
            if (!(*value & kWaiters))
                return;
        }
        (void)futex_wake(word, true, 1, kEveryone);
        (void)futex_wake(word, false, 1, kEveryone);
        return;
    }
}

}  // namespace

void release_robust_futexes(Thread& thread) {
    constexpr int kMost = 2048;  // a list may be a ring
    const UserAddr list = std::exchange(thread.robust_list, 0);
    if (!list)
        return;
    const auto head = copy_in<RobustHead>(list);
    if (!head)
        return;
    auto mark = [&](std::uint64_t entry, bool pending) {
        mark_owner_dead(thread, (entry & ~kPi) + static_cast<std::uint64_t>(head->offset), pending,
                        entry & kPi);
    };
    std::uint64_t entry = head->next;
    for (int i = 0; i < kMost && (entry & ~kPi) != list; i++) {
        // Who is woken may reuse the entry.
        const auto next = copy_in<std::uint64_t>(entry & ~kPi);
        if ((entry & ~kPi) != (head->pending & ~kPi))
            mark(entry, false);
        if (!next)
            break;
        entry = *next;
    }
    if (head->pending)
        mark(head->pending, true);
}

}  // namespace skep::kernel::linux_abi
