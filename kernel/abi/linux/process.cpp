// fork, exec, exit, wait and the process's own settings.
#include <kernel/abi/linux/signal_numbers.hpp>
#include <kernel/abi/linux/tables.hpp>
#include <kernel/abi/linux/time.hpp>
#include <kernel/proc/credentials.hpp>
#include <kernel/proc/exec.hpp>
#include <kernel/proc/signal.hpp>
#include <kernel/vfs/current.hpp>

#include <algorithm>
#include <cstring>
#include <limits>

namespace skep::kernel::linux_abi {

namespace {

using Arguments = const std::uint64_t*;
using Returns = Result<std::uint64_t>;

constexpr std::int32_t kAtCwd = -100;
constexpr std::uint64_t kAtEmptyPath = 0x1000, kAtSymlinkNoFollow = 0x100;

// --- clone ---

// linux/sched.h
constexpr std::uint64_t kExitSignal = 0xff, kVm = 0x100, kFs = 0x200, kFiles = 0x400,
                        kSigHand = 0x800, kPidFd = 0x1000, kPtrace = 0x2000, kVfork = 0x4000,
                        kParent = 0x8000, kThread = 0x1'0000, kNewNamespaces = 0x7e02'0000,
                        kSetTls = 0x8'0000, kParentSetTid = 0x10'0000, kChildClearTid = 0x20'0000,
                        kChildSetTid = 0x100'0000, kClearSigHand = 0x1'0000'0000;

struct CloneRequest {
    std::uint64_t flags, exit_signal, stack, tls;
    UserAddr parent_tid, child_tid;
};

Returns do_clone(const CloneRequest& r) {
    if (r.flags & (kNewNamespaces | kPidFd))
        return fail(Errno::Inval);
    if ((r.flags & kThread && !(r.flags & kSigHand)) || (r.flags & kSigHand && !(r.flags & kVm)))
        return fail(Errno::Inval);
    ThreadStart start;
    start.frame = current_thread().user_frame();
    start.frame.rax = 0;
    if (r.stack)
        start.frame.rsp = r.stack;
    start.set_tls = r.flags & kSetTls;
    start.tls = r.tls;
    start.store_id_parent = r.flags & kParentSetTid ? r.parent_tid : 0;
    start.store_id_child = r.flags & kChildSetTid ? r.child_tid : 0;
    start.clear_id_at_exit = r.flags & kChildClearTid ? r.child_tid : 0;
    if (r.flags & kThread)
        return SKEP_TRY(create_user_thread(start));
    const Signal exit_signal = from_linux_signal(r.exit_signal);
    if (exit_signal == Signal::None && r.exit_signal != 0)
        return fail(Errno::Inval);
    const ForkOptions options{
        .share_memory = (r.flags & kVm) != 0,
        .share_files = (r.flags & kFiles) != 0,
        .share_fs = (r.flags & kFs) != 0,
        .wait_for_exec = (r.flags & kVfork) != 0,
        .clear_handlers = (r.flags & kClearSigHand) != 0,
        .parent_of_caller = (r.flags & kParent) != 0,
        .exit_signal = exit_signal,
    };
    return SKEP_TRY(fork_process(options, start));
}

Returns clone(Arguments a) {
    return do_clone({a[0] & ~kExitSignal, a[0] & kExitSignal, a[1], a[4], a[2], a[3]});
}

Returns clone3(Arguments a) {
    struct CloneArguments {
        std::uint64_t flags, pid_fd, child_tid, parent_tid, exit_signal, stack, stack_size, tls,
            set_tid, set_tid_size, cgroup;
    } c{};
    constexpr std::uint64_t kMinSize = 64;
    if (a[1] < kMinSize)
        return fail(Errno::Inval);
    if (a[1] > kPageSize)
        return fail(Errno::TooBig);
    SKEP_TRY(copy_in(&c, a[0], std::min<std::uint64_t>(a[1], sizeof c)));
    if (c.set_tid || c.set_tid_size || (c.stack == 0) != (c.stack_size == 0))
        return fail(Errno::Inval);
    return do_clone(
        {c.flags, c.exit_signal, c.stack + c.stack_size, c.tls, c.parent_tid, c.child_tid});
}

Returns fork(Arguments) {
    return do_clone({.flags = 0,
                     .exit_signal = to_linux_signal(Signal::Chld),
                     .stack = 0,
                     .tls = 0,
                     .parent_tid = 0,
                     .child_tid = 0});
}

Returns vfork(Arguments) {
    return do_clone({.flags = kVm | kVfork,
                     .exit_signal = to_linux_signal(Signal::Chld),
                     .stack = 0,
                     .tls = 0,
                     .parent_tid = 0,
                     .child_tid = 0});
}

// --- exec ---

Returns exec(const Ref<Vnode>& start, std::string_view path, UserAddr argument_array,
             UserAddr environment_array) {
    StringList arguments, environment;
    SKEP_TRY(copy_in_strings(argument_array, arguments, StringList::kMaxBytes));
    SKEP_TRY(
        copy_in_strings(environment_array, environment, StringList::kMaxBytes - arguments.bytes()));
    if (arguments.count() == 0)
        SKEP_TRY(arguments.add(""));
    SKEP_TRY(execute({current_fs(), current_caller()}, {start, path}, arguments, environment));
    return fail(Errno::JustReturn);
}

Returns execve(Arguments a) {
    Vector<char> path;
    SKEP_TRY(path.resize(kPathMax));
    const std::size_t length = SKEP_TRY(copy_in_string(path.data(), a[0], kPathMax));
    const Ref<Vnode> start = current_fs().working_directory();
    return exec(start, {path.data(), length}, a[1], a[2]);
}

Returns execveat(Arguments a) {
    if (a[4] & ~(kAtEmptyPath | kAtSymlinkNoFollow))
        return fail(Errno::Inval);
    Vector<char> path;
    SKEP_TRY(path.resize(kPathMax));
    const std::size_t length = SKEP_TRY(copy_in_string(path.data(), a[1], kPathMax));
    const auto descriptor = static_cast<std::int32_t>(a[0]);
    if (length == 0) {
        if (!(a[4] & kAtEmptyPath))
            return fail(Errno::NoEnt);
        StringList arguments, environment;
        SKEP_TRY(copy_in_strings(a[2], arguments, StringList::kMaxBytes));
        SKEP_TRY(copy_in_strings(a[3], environment, StringList::kMaxBytes - arguments.bytes()));
        const Ref<File> file =
            SKEP_TRY(current_descriptors().get(static_cast<std::uint32_t>(descriptor)));
        SKEP_TRY(execute_file({current_fs(), current_caller()}, file,
                              arguments.count() ? arguments.data() : "", arguments, environment));
        return fail(Errno::JustReturn);
    }
    Ref<Vnode> start = current_fs().working_directory();
    if (descriptor != kAtCwd && path[0] != '/') {
        start =
            SKEP_TRY(current_descriptors().get(static_cast<std::uint32_t>(descriptor)))->vnode();
        if (!start)
            return fail(Errno::NotDir);
    }
    return exec(start, {path.data(), length}, a[2], a[3]);
}

// --- exit and wait ---

Returns exit_thread_call(Arguments a) {
    Process& me = current_process();
    bool alone;
    {
        const SpinGuard guard(me.lock);
        alone = me.thread_count == 1;
    }
    if (alone)
        exit_process(static_cast<std::int32_t>(a[0] & 0xff));
    exit_user_thread();
}

Returns exit_group(Arguments a) {
    exit_process(static_cast<std::int32_t>(a[0] & 0xff));
}

constexpr std::uint32_t kNoHang = 1, kUntraced = 2, kExited = 4, kContinued = 8,
                        kNoWait = 0x0100'0000, kAllChildren = 0x4000'0000,
                        kOnlyClones = 0x8000'0000, kNoThread = 0x2000'0000;

std::uint32_t wait_status(const WaitResult& r) {
    // Of an exit the status is no signal.
    auto signal = [&] { return to_linux_signal(static_cast<Signal>(r.status)); };
    switch (r.cause) {
        case SignalCause::ChildKilled:
            return signal();
        case SignalCause::ChildDumped:
            return signal() | 0x80;
        case SignalCause::ChildStopped:
            return signal() << 8 | 0x7f;
        case SignalCause::ChildContinued:
            return 0xffff;
        default:
            return static_cast<std::uint32_t>(r.status & 0xff) << 8;
    }
}

struct LinuxUsage {
    LinuxTimeval user, system;
    std::int64_t other[14];
};

LinuxUsage usage_of(Nanoseconds time) {
    LinuxUsage u{};
    u.user = to_timeval(time);
    return u;
}

Returns wait4(Arguments a) {
    const auto id = static_cast<std::int32_t>(a[0]);
    const auto flags = static_cast<std::uint32_t>(a[2]);
    if (flags & ~(kNoHang | kUntraced | kContinued | kAllChildren | kOnlyClones | kNoThread))
        return fail(Errno::Inval);
    if (id == std::numeric_limits<std::int32_t>::min())  // has no negation, so is no group's
        return fail(Errno::Srch);
    WaitOptions o{.stopped = (flags & kUntraced) != 0,
                  .continued = (flags & kContinued) != 0,
                  .no_hang = (flags & kNoHang) != 0};
    if (id > 0)
        o.which = WaitOptions::Which::Process, o.id = id;
    else if (id != -1)
        o.which = WaitOptions::Which::Group, o.id = -id;
    const WaitResult r = SKEP_TRY(wait_for_child(o));
    if (r.process && a[1])
        SKEP_TRY(copy_out(a[1], wait_status(r)));
    if (r.process && a[3])
        SKEP_TRY(copy_out(a[3], usage_of(r.time)));
    return static_cast<std::uint64_t>(r.process);
}

Returns waitid(Arguments a) {
    enum {
        All = 0,
        Pid = 1,
        Group = 2
    };
    const auto flags = static_cast<std::uint32_t>(a[3]);
    if (flags & ~(kNoHang | kUntraced | kExited | kContinued | kNoWait | kAllChildren |
                  kOnlyClones | kNoThread) ||
        !(flags & (kExited | kUntraced | kContinued)))
        return fail(Errno::Inval);
    WaitOptions o{.id = static_cast<std::int32_t>(a[1]),
                  .exited = (flags & kExited) != 0,
                  .stopped = (flags & kUntraced) != 0,
                  .continued = (flags & kContinued) != 0,
                  .no_hang = (flags & kNoHang) != 0,
                  .keep = (flags & kNoWait) != 0};
    switch (a[0]) {
        case All:
            break;
        case Pid:
            o.which = WaitOptions::Which::Process;
            break;
        case Group:
            o.which = WaitOptions::Which::Group;
            break;
        default:
            return fail(Errno::Inval);
    }
    const WaitResult r = SKEP_TRY(wait_for_child(o));
    if (a[2]) {
        LinuxSigInfo info{};
        if (r.process)
            info = to_linux_info({.signal = Signal::Chld,
                                  .cause = r.cause,
                                  .process = r.process,
                                  .user = r.user,
                                  .status = r.status});
        SKEP_TRY(copy_out(a[2], info));
    }
    if (a[4])
        SKEP_TRY(copy_out(a[4], usage_of(r.time)));
    return 0;
}

// --- usage and limits ---

Returns getrusage(Arguments a) {
    constexpr std::int32_t kSelf = 0, kChildren = -1, kThreadOnly = 1;
    Process& me = current_process();
    Nanoseconds time;
    switch (static_cast<std::int32_t>(a[0])) {
        case kSelf:
            time = process_time(me);
            break;
        case kChildren:
            time = me.children_time;
            break;
        case kThreadOnly:
            time = current_thread().cpu_time.total(monotonic_now());
            break;
        default:
            return fail(Errno::Inval);
    }
    LinuxUsage u = usage_of(time);
    constexpr std::size_t kMaxResident = 0;  // KiB
    u.other[kMaxResident] = static_cast<std::int64_t>(me.map->resident_pages() * kPageSize / 1024);
    SKEP_TRY(copy_out(a[1], u));
    return 0;
}

Returns times(Arguments a) {
    constexpr Nanoseconds kTick = 10'000'000;
    Process& me = current_process();
    const std::uint64_t out[4] = {process_time(me) / kTick, 0, me.children_time / kTick, 0};
    if (a[0])
        SKEP_TRY(copy_out(a[0], &out, sizeof out));
    return monotonic_now() / kTick;
}

// asm-generic/resource.h, by Linux's number.
constexpr Limit kLimitsByNumber[] = {
    Limit::Cpu,         Limit::FileSize,  Limit::Data,      Limit::Stack,   Limit::Core,
    Limit::ResidentSet, Limit::Processes, Limit::OpenFiles, Limit::Memlock, Limit::AddressSpace};
constexpr std::uint64_t kLinuxLimits = 16, kLinuxInfinity = ~0ull;

struct LinuxLimit {
    std::uint64_t current, maximum;
};

Returns change_limit(Process& p, std::uint64_t resource, UserAddr fresh, UserAddr old) {
    if (resource >= kLinuxLimits)
        return fail(Errno::Inval);
    auto out = [](std::uint64_t v) { return v >= kUnlimited ? kLinuxInfinity : v; };
    LinuxLimit in{};
    if (fresh)
        in = SKEP_TRY(copy_in<LinuxLimit>(fresh));
    LinuxLimit before{kLinuxInfinity, kLinuxInfinity};
    if (resource < std::size(kLimitsByNumber)) {
        const ResourceLimit wanted{in.current, in.maximum};
        const ResourceLimit was = SKEP_TRY(
            skep::kernel::change_limit(p, kLimitsByNumber[resource], fresh ? &wanted : nullptr));
        before = {out(was.current), out(was.maximum)};
    }
    if (old)
        SKEP_TRY(copy_out(old, before));
    return 0;
}

Returns getrlimit(Arguments a) {
    return change_limit(current_process(), a[0], 0, a[1]);
}
Returns setrlimit(Arguments a) {
    return change_limit(current_process(), a[0], a[1], 0);
}
Returns prlimit64(Arguments a) {
    const auto id = static_cast<std::int32_t>(a[0]);
    Ref<Process> target(&current_process());
    if (id != 0 && id != target->id) {
        const SpinGuard guard(process_lock);
        target = Ref<Process>(find_process(id));
        if (!target)
            return fail(Errno::Srch);
    }
    return change_limit(*target, a[1], a[2], a[3]);
}

// --- prctl ---

Returns prctl(Arguments a) {
    // linux/prctl.h
    enum {
        SetDeathSignal = 1,
        GetDeathSignal = 2,
        GetDumpable = 3,
        SetDumpable = 4,
        SetName = 15,
        GetName = 16,
        CapBsetRead = 23,
        SetTimerSlack = 29,
        GetTimerSlack = 30,
        SetSubreaper = 36,
        GetSubreaper = 37,
        SetNoNewPrivileges = 38,
        GetNoNewPrivileges = 39,
        SetVma = 0x5356'4d41
    };
    Thread& me = current_thread();
    Process& p = *me.process;
    switch (a[0]) {
        case SetName: {
            char name[sizeof me.command] = {};
            const auto length = copy_in_string(name, a[1], sizeof name);
            if (!length && length.error() != Errno::NameTooLong)
                return fail(length.error());
            name[sizeof name - 1] = 0;
            std::memcpy(me.command, name, sizeof name);
            if (me.id == p.id)
                std::memcpy(p.command, name, sizeof name);
            return 0;
        }
        case GetName:
            SKEP_TRY(copy_out(a[1], me.command, sizeof me.command));
            return 0;
        case SetDeathSignal:
        case SetTimerSlack:
        case SetVma:
            return 0;
        case GetDumpable:
            return p.dumpable;
        case SetDumpable:
            p.dumpable = a[1] & 1;
            return 0;
        case GetTimerSlack:
            return 50'000;
        case SetNoNewPrivileges:
            p.no_new_privileges = true;
            return 0;
        case GetNoNewPrivileges:
            return p.no_new_privileges;
        case SetSubreaper:
            p.child_subreaper = a[1];
            return 0;
        case GetSubreaper:
            SKEP_TRY(copy_out(a[1], std::uint32_t{p.child_subreaper}));
            return 0;
        case CapBsetRead:
            return 1;
        default:
            return fail(Errno::Inval);
    }
}

constexpr Syscall kCalls[] = {
    {56, "clone", 5, clone, SyscallStatus::Partial, "no namespaces, no pidfd"},
    {57, "fork", 0, fork},
    {58, "vfork", 0, vfork},
    {59, "execve", 3, execve},
    {60, "exit", 1, exit_thread_call},
    {61, "wait4", 4, wait4, SyscallStatus::Partial, "usage has the processor time only"},
    {97, "getrlimit", 2, getrlimit},
    {98, "getrusage", 2, getrusage, SyscallStatus::Partial,
     "processor time and resident memory only"},
    {100, "times", 1, times, SyscallStatus::Partial, "all time counts as user time"},
    {157, "prctl", 5, prctl, SyscallStatus::Partial,
     "names, dumpable, no-new-privileges, subreaper; death signals are not sent"},
    {160, "setrlimit", 2, setrlimit, SyscallStatus::Partial,
     "STACK, NOFILE act; the others are kept"},
    {231, "exit_group", 1, exit_group},
    {247, "waitid", 5, waitid, SyscallStatus::Partial, "no P_PIDFD"},
    {302, "prlimit64", 4, prlimit64, SyscallStatus::Partial,
     "STACK, NOFILE act; the others are kept"},
    {322, "execveat", 5, execveat},
    {435, "clone3", 2, clone3, SyscallStatus::Partial, "no namespaces, no pidfd, no set_tid"},
};

}  // namespace

const std::span<const Syscall> process_calls = kCalls;

}  // namespace skep::kernel::linux_abi
