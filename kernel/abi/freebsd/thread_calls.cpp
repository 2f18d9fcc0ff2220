// FreeBSD calls on threads: sys/thr.h, sys/umtx.h, sys/cpuset.h.
#include <kernel/abi/freebsd/thread_calls.hpp>

#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/abi/freebsd/umtx.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/mm/layout.hpp>
#include <kernel/proc/futex.hpp>
#include <kernel/proc/process.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel::freebsd_abi {

namespace {

struct ThreadParameters {
    std::uint64_t start, argument, stack_base, stack_size, tls_base, tls_size, child_id, parent_id;
    std::int32_t flags, padding;
    std::uint64_t priority;
    std::uint64_t spare[3];
};
static_assert(sizeof(ThreadParameters) == 104);

// The id goes into a long, of which create_user_thread() stores the lower half.
Result<> clear_long(UserAddr at) {
    return at ? copy_out(at, std::uint64_t{0}) : Result<>();
}

Returns thr_new(Arguments a) {
    const auto size = static_cast<std::int32_t>(a[1]);
    ThreadParameters p{};
    if (size < 0 || static_cast<std::size_t>(size) > sizeof p)
        return fail(Errno::Inval);
    SKEP_TRY(copy_in(&p, a[0], static_cast<std::size_t>(size)));
    constexpr std::int32_t kSuspended = 1;
    if (p.flags & kSuspended)
        return fail(Errno::OpNotSupp);
    if (p.tls_base >= kUserEnd || p.start >= kUserEnd)
        return fail(Errno::Inval);
    SKEP_TRY(clear_long(p.child_id));
    SKEP_TRY(clear_long(p.parent_id));
    ThreadStart start{.frame = current_thread().user_frame(),
                      .set_tls = true,
                      .tls = p.tls_base,
                      .store_id_parent = p.parent_id,
                      .store_id_child = p.child_id};
    TrapFrame& f = start.frame;
    f.rip = p.start;
    f.rdi = p.argument;
    f.rsp = ((p.stack_base + p.stack_size) & ~15ull) - 8;  // as after a call
    f.rbp = 0;
    SKEP_TRY(create_user_thread(start));
    return 0;
}

Returns thr_self(Arguments a) {
    SKEP_TRY(copy_out(a[0], std::int64_t{current_thread().id}));
    return 0;
}

// The last thread of a process does not end by it.
Returns thr_exit(Arguments a) {
    // Before its memory may go to another use.
    release_robust_mutexes(current_thread());
    if (a[0]) {
        (void)copy_out(a[0], std::uint64_t{1});
        (void)futex_wake(a[0], true, ~0u, ~0u);
    }
    {
        const Process& me = current_process();
        if (me.thread_count == 1)
            return 0;
    }
    exit_user_thread();
}

Returns thr_set_name(Arguments a) {
    char name[sizeof Thread::command] = {};
    if (a[1]) {
        const auto length = copy_in_string(name, a[1], sizeof name);
        if (!length && length.error() != Errno::NameTooLong)
            return fail(length.error());
        name[sizeof name - 1] = 0;
    }
    const SpinGuard guard(process_lock);
    Thread* t = find_thread(static_cast<std::int32_t>(a[0]));
    if (!t || t->process != &current_process())
        return fail(Errno::Srch);
    std::memcpy(t->command, name, sizeof name);
    return 0;
}

Returns sched_yield(Arguments) {
    yield();
    return 0;
}

// --- CPU sets ---

constexpr std::int32_t kLevelRoot = 1, kLevelCpuset = 2, kLevelWhich = 3;
constexpr std::int32_t kWhichThread = 1, kWhichProcess = 2;
constexpr std::uint64_t kMaxSetBytes = 128;

std::uint64_t all_cpus() {
    return cpu_count >= 64 ? ~0ull : (std::uint64_t{1} << cpu_count) - 1;
}

Result<> check_set_size(std::uint64_t size) {
    if (size < sizeof(std::uint64_t) || size > kMaxSetBytes)
        return fail(Errno::Range);
    return {};
}

// The thread that (which, id) names; of a process, its first. With process_lock held.
Result<Thread*> find_target(std::int32_t which, std::int64_t id) {
    Thread* thread = nullptr;
    if (which == kWhichThread)
        thread = id == -1 ? &current_thread() : find_thread(static_cast<std::int32_t>(id));
    else if (which == kWhichProcess) {
        Process* p = id == -1 ? &current_process() : find_process(static_cast<std::int32_t>(id));
        thread = p == &current_process() ? &current_thread() : p ? p->threads.front() : nullptr;
    } else {
        return fail(Errno::Inval);
    }
    if (!thread)
        return fail(Errno::Srch);
    return thread;
}

Returns cpuset_getaffinity(Arguments a) {
    SKEP_TRY(check_set_size(a[3]));
    std::uint64_t mask = all_cpus();
    switch (static_cast<std::int32_t>(a[0])) {
        case kLevelRoot:
        case kLevelCpuset:
            break;
        case kLevelWhich: {
            const SpinGuard guard(process_lock);
            mask &= SKEP_TRY(find_target(static_cast<std::int32_t>(a[1]),
                                         static_cast<std::int64_t>(a[2])))
                        ->affinity;
            break;
        }
        default:
            return fail(Errno::Inval);
    }
    std::uint64_t set[kMaxSetBytes / sizeof(std::uint64_t)] = {mask};
    SKEP_TRY(copy_out(a[4], set, a[3]));
    return 0;
}

Returns cpuset_setaffinity(Arguments a) {
    SKEP_TRY(check_set_size(a[3]));
    std::uint64_t set[kMaxSetBytes / sizeof(std::uint64_t)] = {};
    SKEP_TRY(copy_in(set, a[4], a[3]));
    if (static_cast<std::int32_t>(a[0]) != kLevelWhich)
        return fail(Errno::Perm);
    const std::uint64_t mask = set[0] & all_cpus();
    if (!mask)
        return fail(Errno::Deadlk);
    const auto which = static_cast<std::int32_t>(a[1]);
    const SpinGuard guard(process_lock);
    Thread* target = SKEP_TRY(find_target(which, static_cast<std::int64_t>(a[2])));
    if (target->process != &current_process())
        return fail(Errno::Perm);
    if (which == kWhichThread) {
        target->affinity = mask;
    } else {
        const SpinGuard of_process(target->process->lock);
        for (Thread& t : target->process->threads)
            t.affinity = mask;
    }
    return 0;
}

Returns cpuset_getid(Arguments a) {
    constexpr std::int32_t kRootSet = 1;
    SKEP_TRY(copy_out(a[3], kRootSet));
    return 0;
}

// --- priorities: everybody is an ordinary time sharer ---

constexpr std::int32_t kOther = 2;  // SCHED_OTHER
constexpr std::uint64_t kHighest = 103, kLowest = 0;

Returns sched_getscheduler(Arguments) {
    return kOther;
}
Returns sched_getparam(Arguments a) {
    SKEP_TRY(copy_out(a[1], std::int32_t{0}));
    return 0;
}
Returns sched_setparam(Arguments) {
    return 0;
}
Returns sched_get_priority_max(Arguments) {
    return kHighest;
}
Returns sched_get_priority_min(Arguments) {
    return kLowest;
}

// struct rtprio: {u16 type, prio}.
Returns rtprio_thread(Arguments a) {
    enum : std::int32_t {
        Look = 0,
        Set = 1
    };
    struct RtPriority {
        std::uint16_t type, priority;
    };
    constexpr std::uint16_t kNormal = 3;
    if (static_cast<std::int32_t>(a[0]) == Look)
        SKEP_TRY(copy_out(a[2], RtPriority{kNormal, 0}));
    else if (static_cast<std::int32_t>(a[0]) != Set)
        return fail(Errno::Inval);
    return 0;
}

Returns sched_rr_get_interval(Arguments a) {
    constexpr std::int64_t kSliceNanoseconds = 10'000'000;
    const std::int64_t interval[2] = {0, kSliceNanoseconds};
    SKEP_TRY(copy_out(a[1], interval));
    return 0;
}

Returns sched_getcpu(Arguments) {
    return current_cpu();
}

constexpr std::string_view kOneClass = "every thread shares time alike";

constexpr Syscall kCalls[] = {
    {166, "rtprio", 3, rtprio_thread, SyscallStatus::Ignored, kOneClass},
    {321, "yield", 0, sched_yield},
    {327, "sched_setparam", 2, sched_setparam, SyscallStatus::Ignored, kOneClass},
    {328, "sched_getparam", 2, sched_getparam, SyscallStatus::Partial, kOneClass},
    {329, "sched_setscheduler", 3, sched_setparam, SyscallStatus::Ignored, kOneClass},
    {330, "sched_getscheduler", 1, sched_getscheduler, SyscallStatus::Partial, kOneClass},
    {331, "sched_yield", 0, sched_yield},
    {332, "sched_get_priority_max", 1, sched_get_priority_max, SyscallStatus::Partial, kOneClass},
    {333, "sched_get_priority_min", 1, sched_get_priority_min, SyscallStatus::Partial, kOneClass},
    {334, "sched_rr_get_interval", 2, sched_rr_get_interval},
    {431, "thr_exit", 1, thr_exit},
    {432, "thr_self", 1, thr_self},
    {454, "_umtx_op", 5, umtx_op, SyscallStatus::Partial, "no priority protocols; no UMTX_OP_SHM"},
    {455, "thr_new", 2, thr_new, SyscallStatus::Partial, "no THR_SUSPENDED, no priorities"},
    {464, "thr_set_name", 2, thr_set_name},
    {466, "rtprio_thread", 3, rtprio_thread, SyscallStatus::Ignored, kOneClass},
    {486, "cpuset_getid", 4, cpuset_getid, SyscallStatus::Partial, "there is one set"},
    {487, "cpuset_getaffinity", 5, cpuset_getaffinity},
    {581, "sched_getcpu", 0, sched_getcpu},
    {488, "cpuset_setaffinity", 5, cpuset_setaffinity, SyscallStatus::Partial,
     "threads of the own process; moves at the next switch"},
};

}  // namespace

const std::span<const Syscall> thread_calls = kCalls;

}  // namespace skep::kernel::freebsd_abi
