// UMTX_OP_ROBUST_LISTS: mutexes that a thread dies with (_umtx_op(2), "Robust umutexes").
#include <kernel/abi/freebsd/umtx.hpp>
#include <kernel/sched/thread_impl.hpp>

#include <utility>

namespace skep::kernel::freebsd_abi {

namespace {

constexpr int kMost = 1000;  // FreeBSD's kern.ipc.umtx_max_robust

// -> the mutex after it. Inval: it is no robust mutex, or another's, and the list not to be
// believed. The inactive one may have been unlocked already.
Result<UserAddr> release(const Thread& thread, UserAddr mutex, bool inactive) {
    const auto m = SKEP_TRY(copy_in<UserMutex>(mutex));
    if (!(m.flags & kMutexRobust))
        return fail(Errno::Inval);
    const Result<> released = give_up_user_mutex(mutex, thread);
    if (!released && !(inactive && released.error() == Errno::Perm))
        return fail(released.error());
    return m.robust_link;
}

void release_list(const Thread& thread, UserAddr head, UserAddr& inactive) {
    if (!head)
        return;
    Result<UserAddr> mutex = copy_in<UserAddr>(head);
    for (int i = 0; i < kMost && mutex && *mutex; i++) {
        const bool in_transition = *mutex == inactive;
        if (in_transition)
            inactive = 0;
        mutex = release(thread, *mutex, in_transition);
    }
}

}  // namespace

Result<> set_robust_lists(UserAddr at, std::uint64_t size) {
    RobustListsParameters lists{};
    if (size > sizeof lists)
        return fail(Errno::Inval);
    SKEP_TRY(copy_in(&lists, at, size));
    Thread& me = current_thread();
    me.robust_list = lists.list;
    me.robust_private_list = lists.private_list;
    me.robust_inactive = lists.inactive;
    return {};
}

void release_robust_mutexes(Thread& thread) {
    UserAddr inactive = 0;
    if (const UserAddr at = std::exchange(thread.robust_inactive, 0))
        inactive = copy_in<UserAddr>(at).value_or(0);
    release_list(thread, std::exchange(thread.robust_list, 0), inactive);
    release_list(thread, std::exchange(thread.robust_private_list, 0), inactive);
    if (inactive)
        (void)release(thread, inactive, true);
}

}  // namespace skep::kernel::freebsd_abi
