// Futexes whose word names their owner (futex(2), "Priority-inheritance futexes"): a thread id, and
// marks that somebody waits or that the owner died. Waiters do not lend their priority yet.
#pragma once

#include <kernel/mm/user.hpp>
#include <kernel/sched/clock.hpp>

namespace skep::kernel {
class Thread;
}

namespace skep::kernel::linux_abi {

// Errors: Deadlk (it is the caller's already), Srch (its owner is no thread), Again (`wait` is not
// asked and it is taken), TimedOut, Intr, Fault.
Result<> lock_owned(UserAddr word, bool shared, bool wait, Nanoseconds deadline);
// Perm: it is not the caller's.
Result<> unlock_owned(UserAddr word, bool shared);

// What the robust list of the calling thread names (get_robust_list(2)): marked, one waiter woken.
void release_robust_futexes(Thread& thread);

}  // namespace skep::kernel::linux_abi
