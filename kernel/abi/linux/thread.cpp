// Threads: TLS, robust lists, scheduling.
#include <kernel/abi/linux/tables.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/mm/layout.hpp>
#include <kernel/proc/nice.hpp>
#include <kernel/proc/process.hpp>

#include <algorithm>

namespace skep::kernel::linux_abi {

namespace {

using Arguments = const std::uint64_t*;
using Returns = Result<std::uint64_t>;

Returns arch_prctl(Arguments a) {
    // asm/prctl.h
    enum {
        SetGs = 0x1001,
        SetFs = 0x1002,
        GetFs = 0x1003,
        GetGs = 0x1004
    };
    Thread& me = current_thread();
    save_user_bases(me);
    switch (a[0]) {
        case SetFs:
        case SetGs: {
            if (a[1] >= kUserEnd)
                return fail(Errno::Perm);
            const InterruptsOff off;
            (a[0] == SetFs ? me.fs_base : me.gs_base) = a[1];
            write_msr(a[0] == SetFs ? Msr::FsBase : Msr::KernelGsBase, a[1]);
            return 0;
        }
        case GetFs:
            SKEP_TRY(copy_out(a[1], me.fs_base));
            return 0;
        case GetGs:
            SKEP_TRY(copy_out(a[1], me.gs_base));
            return 0;
        default:
            return fail(Errno::Inval);
    }
}

Returns set_tid_address(Arguments a) {
    Thread& me = current_thread();
    me.clear_child_tid = a[0];
    return static_cast<std::uint64_t>(me.id);
}

constexpr std::uint64_t kRobustHeadSize = 24;
Returns set_robust_list(Arguments a) {
    if (a[1] != kRobustHeadSize)
        return fail(Errno::Inval);
    current_thread().robust_list = a[0];
    return 0;
}
Returns sched_yield(Arguments) {
    yield();
    return 0;
}

std::uint64_t all_cpus() {
    return cpu_count >= 64 ? ~0ull : (1ull << cpu_count) - 1;
}

// The thread of that id in any process; 0 the caller's. With process_lock held.
Result<Thread*> named(std::uint64_t id) {
    Thread* t = id ? find_thread(static_cast<std::int32_t>(id)) : &current_thread();
    if (!t)
        return fail(Errno::Srch);
    return t;
}

Returns get_robust_list(Arguments a) {
    const Process& me = current_process();
    UserAddr list;
    {
        const SpinGuard guard(process_lock);
        const Thread* thread = SKEP_TRY(named(a[0]));
        const Credentials& its = thread->process->credentials;
        if (thread->process != &me && me.credentials.effective_user != 0 &&
            me.credentials.effective_user != its.real_user)
            return fail(Errno::Perm);
        list = thread->robust_list;
    }
    SKEP_TRY(copy_out(a[2], kRobustHeadSize));
    SKEP_TRY(copy_out(a[1], list));
    return 0;
}

Returns sched_getaffinity(Arguments a) {
    if (a[1] < sizeof(std::uint64_t) || a[1] % sizeof(std::uint64_t) != 0)
        return fail(Errno::Inval);
    std::uint64_t mask;
    {
        const SpinGuard guard(process_lock);
        mask = SKEP_TRY(named(a[0]))->affinity & all_cpus();
    }
    SKEP_TRY(copy_out(a[2], mask));
    return sizeof mask;
}

Returns sched_setaffinity(Arguments a) {
    std::uint64_t mask = 0;
    SKEP_TRY(copy_in(&mask, a[2], std::min<std::uint64_t>(a[1], sizeof mask)));
    if (!(mask & all_cpus()))
        return fail(Errno::Inval);
    Thread* target;
    {
        const SpinGuard guard(process_lock);
        target = SKEP_TRY(named(a[0]));
        target->affinity = mask;
    }
    if (target == &current_thread())
        yield();  // comes back on an allowed CPU
    return 0;
}

Returns getcpu(Arguments a) {
    if (a[0])
        SKEP_TRY(copy_out(a[0], current_cpu()));
    if (a[1])
        SKEP_TRY(copy_out(a[1], std::uint32_t{0}));
    return 0;
}

// One policy: SCHED_OTHER.
Returns sched_getscheduler(Arguments) {
    return 0;
}
Returns sched_setscheduler(Arguments a) {
    constexpr std::uint64_t kOther = 0, kBatch = 3, kIdle = 5;
    if (a[1] != kOther && a[1] != kBatch && a[1] != kIdle)
        return fail(Errno::Perm);
    return 0;
}
Returns sched_getparam(Arguments a) {
    SKEP_TRY(copy_out(a[1], std::int32_t{0}));
    return 0;
}
Returns sched_priority_limit(Arguments) {
    return 0;
}

// --- nice values: a thread's own (setpriority(2), "C library/kernel differences") ---

Result<NiceOf> nice_argument(std::uint64_t which) {
    constexpr NiceOf kWhich[] = {NiceOf::Thread, NiceOf::Group, NiceOf::User};
    if (which >= std::size(kWhich))
        return fail(Errno::Inval);
    return kWhich[which];
}
Returns getpriority(Arguments a) {
    const int nice =
        SKEP_TRY(lowest_nice(SKEP_TRY(nice_argument(a[0])), static_cast<std::int32_t>(a[1])));
    return static_cast<std::uint64_t>(20 - nice);  // so that it is no error
}
Returns setpriority(Arguments a) {
    constexpr int kMost = 19;
    SKEP_TRY(set_nice(SKEP_TRY(nice_argument(a[0])), static_cast<std::int32_t>(a[1]),
                      std::min(static_cast<std::int32_t>(a[2]), kMost)));
    return 0;
}

Returns membarrier(Arguments a) {
    constexpr std::uint64_t kQuery = 0;
    if (a[0] == kQuery)
        return 0;  // none is offered
    return fail(Errno::Inval);
}

Returns rseq(Arguments) {
    return fail(Errno::NoSys);
}

constexpr Syscall kCalls[] = {
    {24, "sched_yield", 0, sched_yield},
    {140, "getpriority", 2, getpriority},
    {141, "setpriority", 3, setpriority, SyscallStatus::Partial, "no RLIMIT_NICE"},
    {143, "sched_getparam", 2, sched_getparam, SyscallStatus::Partial, "SCHED_OTHER only"},
    {144, "sched_setscheduler", 3, sched_setscheduler, SyscallStatus::Partial, "SCHED_OTHER only"},
    {145, "sched_getscheduler", 1, sched_getscheduler, SyscallStatus::Partial, "SCHED_OTHER only"},
    {146, "sched_get_priority_max", 1, sched_priority_limit, SyscallStatus::Partial,
     "SCHED_OTHER only"},
    {147, "sched_get_priority_min", 1, sched_priority_limit, SyscallStatus::Partial,
     "SCHED_OTHER only"},
    {158, "arch_prctl", 2, arch_prctl, SyscallStatus::Partial, "the bases of FS and GS"},
    {203, "sched_setaffinity", 3, sched_setaffinity, SyscallStatus::Partial, "64 CPUs"},
    {204, "sched_getaffinity", 3, sched_getaffinity, SyscallStatus::Partial, "64 CPUs"},
    {218, "set_tid_address", 1, set_tid_address},
    {273, "set_robust_list", 2, set_robust_list},
    {274, "get_robust_list", 3, get_robust_list},
    {309, "getcpu", 3, getcpu},
    {324, "membarrier", 3, membarrier, SyscallStatus::Partial, "offers no command"},
    {334, "rseq", 4, rseq, SyscallStatus::Partial, "refused: libraries go without"},
};

}  // namespace

const std::span<const Syscall> thread_calls = kCalls;

}  // namespace skep::kernel::linux_abi
