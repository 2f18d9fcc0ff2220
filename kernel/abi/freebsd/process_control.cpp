// procctl: sys/procctl.h. Reapers, tracing, parent-death signals, what memory may be; of address
// randomization and stack gaps, that there are none.
#include <kernel/abi/freebsd/memory_policy.hpp>
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/proc/signal.hpp>

#include <algorithm>

namespace skep::kernel::freebsd_abi {

namespace {

enum class Control : std::int32_t {
    Protect = 1,
    ReapAcquire = 2,
    ReapRelease = 3,
    ReapStatus = 4,
    ReapGetPids = 5,
    ReapKill = 6,
    Trace = 7,
    TraceStatus = 8,
    TrapCapabilities = 9,
    TrapCapabilitiesStatus = 10,
    ParentDeath = 11,
    ParentDeathStatus = 12,
    Aslr = 13,
    AslrStatus = 14,
    ProtMax = 15,
    ProtMaxStatus = 16,
    StackGap = 17,
    StackGapStatus = 18,
    NoNewPrivileges = 19,
    NoNewPrivilegesStatus = 20,
    WriteExecute = 21,
    WriteExecuteStatus = 22,
};

constexpr std::int32_t kEnable = 1, kDisable = 2, kNoForce = 3;

// Whom (P_PID, id) means. With process_lock held. Srch; Perm: another user's.
Result<Process*> target(std::int32_t kind, std::int64_t id) {
    constexpr std::int32_t kByNumber = 0;
    Process& me = current_process();
    if (kind != kByNumber)
        return fail(Errno::Inval);
    Process* p = id == 0 ? &me : find_process(static_cast<std::int32_t>(id));
    if (!p || p->state != ProcessState::Alive)
        return fail(Errno::Srch);
    const Credentials &mine = me.credentials, &its = p->credentials;
    if (p != &me && mine.effective_user != 0 && mine.effective_user != its.real_user)
        return fail(Errno::Perm);
    return p;
}

// --- reapers ---

struct ReaperStatus {
    std::uint32_t flags, children, descendants;
    std::int32_t reaper, any_child;
    std::uint32_t padding[15];
};
static_assert(sizeof(ReaperStatus) == 80);
struct ReaperProcess {
    std::int32_t process, subtree;
    std::uint32_t flags, padding[15];
};
static_assert(sizeof(ReaperProcess) == 72);
struct ReaperProcesses {
    std::uint32_t capacity, padding[15];
    UserAddr to;
};
static_assert(sizeof(ReaperProcesses) == 72);
struct ReaperKill {
    std::int32_t signal;
    std::uint32_t flags;
    std::int32_t subtree;
    std::uint32_t killed;
    std::int32_t first_failed;
    std::uint32_t padding[15];
};
static_assert(sizeof(ReaperKill) == 80);

bool is_reaper(const Process& p) {
    return p.child_subreaper || &p == init_process;
}

// The child of `reaper` that leads to the descendant `p`. With process_lock held.
const Process& subtree_of(const Process& p, const Process& reaper) {
    const Process* at = &p;
    while (at->parent && at->parent != &reaper)
        at = at->parent;
    return *at;
}

// Calls f(process) for everything that would become `reaper`'s child. With process_lock held.
template <typename F>
void for_each_descendant(const Process& reaper, F f) {
    for (Process& p : all_processes)
        if (&p != &reaper && &reaper_of(p) == &reaper)
            f(p);
}

Returns reap_status(const Process& of, UserAddr to) {
    constexpr std::uint32_t kOwned = 1, kRealInit = 2;
    ReaperStatus status{};
    {
        const SpinGuard guard(process_lock);
        const Process& reaper = is_reaper(of) ? of : reaper_of(of);
        status.flags = (&reaper == &of ? kOwned : 0) | (&reaper == init_process ? kRealInit : 0);
        status.reaper = reaper.id;
        status.any_child = -1;
        for_each_descendant(reaper, [&](const Process& p) {
            status.descendants++;
            if (p.parent == &reaper) {
                status.children++;
                status.any_child = p.id;
            }
        });
    }
    SKEP_TRY(copy_out(to, status));
    return 0;
}

// Of the process itself if it reaps, else of its reaper.
Returns reap_processes(const Process& of, UserAddr at) {
    constexpr std::uint32_t kValid = 1, kChild = 2, kReaper = 4, kZombie = 8, kStopped = 0x10;
    const auto request = SKEP_TRY(copy_in<ReaperProcesses>(at));
    Vector<ReaperProcess> found;
    {
        const SpinGuard guard(process_lock);
        const Process& reaper = is_reaper(of) ? of : reaper_of(of);
        Result<> kept;
        for_each_descendant(reaper, [&](const Process& p) {
            if (!kept || found.size() >= request.capacity)
                return;
            ReaperProcess shown{};
            shown.process = p.id;
            shown.subtree = subtree_of(p, reaper).id;
            shown.flags =
                kValid | (p.parent == &reaper ? kChild : 0) | (p.child_subreaper ? kReaper : 0) |
                (p.state == ProcessState::Zombie ? kZombie : 0) | (p.stopped ? kStopped : 0);
            kept = found.push_back(shown);
        });
        SKEP_TRY(kept);
    }
    SKEP_TRY(copy_out(request.to, found.data(), found.size() * sizeof(ReaperProcess)));
    return 0;
}

// timeout(1) ends what it started, and what that started, by it.
Returns reap_kill(const Process& of, UserAddr at) {
    enum : std::uint32_t {
        Children = 1,
        Subtree = 2
    };
    auto request = SKEP_TRY(copy_in<ReaperKill>(at));
    if (request.signal <= 0 || request.signal >= static_cast<std::int32_t>(kSignals) ||
        request.flags & ~(Children | Subtree) || request.flags == (Children | Subtree))
        return fail(Errno::Inval);
    request.killed = 0;
    request.first_failed = -1;
    {
        const SpinGuard guard(process_lock);
        const Process& me = current_process();
        const Process& reaper = is_reaper(of) ? of : reaper_of(of);
        for_each_descendant(reaper, [&](Process& p) {
            const bool meant = request.flags & Children ? p.parent == &reaper
                               : request.flags & Subtree
                                   ? subtree_of(p, reaper).id == request.subtree
                                   : true;
            if (!meant || p.state != ProcessState::Alive)
                return;
            send_signal(p, {.signal = static_cast<Signal>(request.signal),
                            .cause = SignalCause::User,
                            .process = me.id,
                            .user = me.credentials.real_user});
            request.killed++;
        });
    }
    SKEP_TRY(copy_out(at, request));
    if (request.killed == 0)
        return fail(Errno::Srch);
    return 0;
}

// --- settings ---

Returns take_setting(UserAddr from, std::int32_t least, std::int32_t most) {
    const auto value = SKEP_TRY(copy_in<std::int32_t>(from));
    if (value < least || value > most)
        return fail(Errno::Inval);
    return static_cast<std::uint64_t>(value);
}
// What is accepted and does nothing.
Returns take_hint(UserAddr from, std::int32_t least, std::int32_t most) {
    SKEP_TRY(take_setting(from, least, most));
    return 0;
}
Returns tell(UserAddr to, std::int32_t value) {
    SKEP_TRY(copy_out(to, value));
    return 0;
}

Returns set_reaper(Process& p, bool on) {
    const SpinGuard guard(process_lock);
    if (&p != &current_process())
        return fail(Errno::Perm);
    if (&p == init_process || (!on && !p.child_subreaper))
        return fail(Errno::Inval);
    if (on && p.child_subreaper)
        return fail(Errno::Busy);
    p.child_subreaper = on;
    return 0;
}

Returns set_parent_death(Process& p, UserAddr from) {
    if (&p != &current_process())
        return fail(Errno::Inval);
    const auto signal = SKEP_TRY(take_setting(from, 0, kSignals - 1));
    const SpinGuard guard(process_lock);
    p.parent_death_signal = static_cast<Signal>(signal);
    return 0;
}

Returns trace_status(const Process& p, UserAddr to) {
    std::int32_t tracer = p.dumpable ? 0 : -1;
    {
        const SpinGuard guard(process_lock);
        if (p.traced && p.parent)
            tracer = p.parent->id;
    }
    return tell(to, tracer);
}

Returns procctl(Arguments a) {
    Ref<Process> held;
    {
        const SpinGuard guard(process_lock);
        held = Ref<Process>(
            SKEP_TRY(target(static_cast<std::int32_t>(a[0]), static_cast<std::int64_t>(a[1]))));
    }
    Process& p = *held;
    const UserAddr data = a[3];
    switch (static_cast<Control>(static_cast<std::int32_t>(a[2]))) {
        case Control::Protect:
            return take_hint(data, 1, 0x32);  // nobody is chosen when memory runs out by it
        case Control::ReapAcquire:
        case Control::ReapRelease:
            return set_reaper(p, static_cast<Control>(a[2]) == Control::ReapAcquire);
        case Control::ReapStatus:
            return reap_status(p, data);
        case Control::ReapGetPids:
            return reap_processes(p, data);
        case Control::ReapKill:
            return reap_kill(p, data);
        case Control::Trace:
            p.dumpable = SKEP_TRY(take_setting(data, kEnable, 3)) == kEnable;
            return 0;
        case Control::TraceStatus:
            return trace_status(p, data);
        case Control::TrapCapabilities:
            return take_hint(data, kEnable, kDisable);
        case Control::TrapCapabilitiesStatus:
            return tell(data, kDisable);
        case Control::ParentDeath:
            return set_parent_death(p, data);
        case Control::ParentDeathStatus:
            if (&p != &current_process())
                return fail(Errno::Inval);
            return tell(data, static_cast<std::int32_t>(p.parent_death_signal));
        case Control::Aslr:
            return take_hint(data, kEnable, kNoForce);
        case Control::AslrStatus:
            return tell(data, kNoForce);
        case Control::ProtMax:
            return done(control_maximum(p, SKEP_TRY(copy_in<std::int32_t>(data))));
        case Control::ProtMaxStatus:
            return tell(data, maximum_status(p));
        case Control::StackGap:
            return take_hint(data, 1, 15);
        case Control::StackGapStatus:
            return tell(data, 2 | 8);  // neither now nor after exec
        case Control::NoNewPrivileges:
            if (SKEP_TRY(take_setting(data, kEnable, kDisable)) != kEnable)
                return fail(Errno::Inval);
            p.no_new_privileges = true;
            return 0;
        case Control::NoNewPrivilegesStatus:
            return tell(data, p.no_new_privileges ? kEnable : kDisable);
        case Control::WriteExecute:
            return done(control_write_execute(p, SKEP_TRY(copy_in<std::int32_t>(data))));
        case Control::WriteExecuteStatus:
            return tell(data, write_execute_status(p));
    }
    return fail(Errno::Inval);
}

constexpr Syscall kCalls[] = {
    {544, "procctl", 4, procctl, SyscallStatus::Partial,
     "P_PID; protection, ASLR and stack gaps are accepted without effect"},
};

}  // namespace

const std::span<const Syscall> process_control_calls = kCalls;

}  // namespace skep::kernel::freebsd_abi
