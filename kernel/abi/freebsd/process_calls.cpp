// fork, exec, exit, wait and the process's own settings: sys/wait.h, sys/resource.h, sys/procctl.h,
// machine/sysarch.h.
#include <kernel/abi/arguments.hpp>
#include <kernel/abi/freebsd/signal_types.hpp>
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/abi/time.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/fpu.hpp>
#include <kernel/base/log.hpp>
#include <kernel/mm/layout.hpp>
#include <kernel/proc/credentials.hpp>
#include <kernel/proc/exec.hpp>
#include <kernel/proc/nice.hpp>
#include <kernel/proc/process_descriptor.hpp>
#include <kernel/proc/signal.hpp>
#include <kernel/proc/trace.hpp>

#include <algorithm>
#include <limits>

namespace skep::kernel::freebsd_abi {

namespace {

// --- fork ---

ThreadStart child_start() {
    ThreadStart start{.frame = current_thread().user_frame()};
    start.frame.rax = 0;
    start.frame.rdx = 1;  // "I am the child", as of old
    start.frame.rflags &= ~kRflagsCarry;
    return start;
}

// RDX tells parent from child: rfork_thread(3), by which posix_spawn(3) works, looks at nothing
// else.
Returns fork_as(const ForkOptions& options) {
    const ProcessId child = SKEP_TRY(fork_process(options, child_start()));
    current_thread().user_frame().rdx = 0;
    return static_cast<std::uint64_t>(child);
}

Returns fork(Arguments) {
    return fork_as({});
}

// --- process descriptors: sys/procdesc.h ---

Returns pdfork(Arguments a) {
    enum : std::uint32_t {
        Daemon = 1,
        CloseOnExec = 2
    };
    const auto flags = static_cast<std::uint32_t>(a[1]);
    if (flags & ~(Daemon | CloseOnExec))
        return fail(Errno::Inval);
    const Ref<ProcessDescriptor> file =
        SKEP_TRY(make_ref<ProcessDescriptor>((flags & Daemon) != 0));
    const std::uint64_t number = SKEP_TRY(abi::add_descriptor(file, flags & CloseOnExec));
    const auto descriptor = static_cast<std::uint32_t>(number);
    auto child = [&]() -> Returns {
        SKEP_TRY(copy_out(a[0], descriptor));
        return fork_as({.descriptor = file.get(), .descriptor_number = descriptor});
    }();
    if (!child)
        (void)current_descriptors().close(descriptor);
    return child;
}

Result<Ref<File>> process_argument(std::uint64_t descriptor) {
    Ref<File> file = SKEP_TRY(abi::file_argument(descriptor));
    if (!file->process_descriptor())
        return fail(Errno::BadF);
    return file;
}

Returns pdkill(Arguments a) {
    const Ref<File> file = SKEP_TRY(process_argument(a[0]));
    if (static_cast<std::uint32_t>(a[1]) >= kSignals)
        return fail(Errno::Inval);
    const Process& me = current_process();
    return done(file->process_descriptor()->kill({.signal = static_cast<Signal>(a[1]),
                                                  .cause = SignalCause::User,
                                                  .process = me.id,
                                                  .user = me.credentials.real_user}));
}

Returns pdgetpid(Arguments a) {
    const Ref<File> file = SKEP_TRY(process_argument(a[0]));
    SKEP_TRY(copy_out(a[1], file->process_descriptor()->id()));
    return 0;
}

Returns vfork(Arguments) {
    return fork_as({.share_memory = true, .wait_for_exec = true});
}

Returns rfork(Arguments a) {
    // sys/unistd.h
    enum : std::uint32_t {
        Files = 1 << 2,
        Process = 1 << 4,
        Memory = 1 << 5,
        NoWait = 1 << 6,
        CleanFiles = 1 << 12,
        ThreadKind = 1 << 13,
        LinuxSignal = 1 << 16,
        Spawn = 1u << 31
    };
    auto flags = static_cast<std::uint32_t>(a[0]);
    if (flags & Spawn)
        flags = Files | Process | Memory;  // as vfork; handlers are reset by exec
    const bool spawn = static_cast<std::uint32_t>(a[0]) & Spawn;
    if (!(flags & Process))
        return fail(Errno::OpNotSupp);
    if (flags & ~(Files | Process | Memory))
        return fail(Errno::Inval);
    // Without RFFDG descriptors are shared.
    return fork_as({.share_memory = (flags & Memory) != 0,
                    .share_files = !(flags & Files),
                    .wait_for_exec = spawn});
}

// --- exec ---

Result<> strings(UserAddr argument_array, UserAddr environment_array, StringList& arguments,
                 StringList& environment) {
    SKEP_TRY(copy_in_strings(argument_array, arguments, StringList::kMaxBytes));
    SKEP_TRY(
        copy_in_strings(environment_array, environment, StringList::kMaxBytes - arguments.bytes()));
    if (arguments.count() == 0)
        return fail(Errno::Inval);
    return {};
}

Returns execve(Arguments a) {
    const abi::PathArgument path = SKEP_TRY(abi::PathArgument::copy(a[0]));
    StringList arguments, environment;
    SKEP_TRY(strings(a[1], a[2], arguments, environment));
    const Ref<Vnode> start = current_fs().working_directory();
    SKEP_TRY(execute(abi::actor(), {start, path.view()}, arguments, environment));
    return fail(Errno::JustReturn);
}

Returns fexecve(Arguments a) {
    const Ref<File> file = SKEP_TRY(abi::file_argument(a[0]));
    StringList arguments, environment;
    SKEP_TRY(strings(a[1], a[2], arguments, environment));
    SKEP_TRY(execute_file(abi::actor(), file, arguments.data(), arguments, environment));
    return fail(Errno::JustReturn);
}

// --- exit and wait ---

Returns exit(Arguments a) {
    exit_process(static_cast<std::int32_t>(a[0] & 0xff));
}

Returns abort2(Arguments a) {
    constexpr std::size_t kWhyMax = 128;
    char why[kWhyMax] = {};
    if (a[0])
        (void)copy_in_string(why, a[0], sizeof why - 1);
    log("{} (pid {}) aborts: {}", static_cast<const char*>(current_process().command),
        current_process().id, static_cast<const char*>(why));
    exit_process_by_signal(Signal::Abrt);
}

enum : std::uint32_t {
    kNoHang = 1,
    kUntraced = 2,
    kContinued = 4,
    kNoWait = 8,
    kExited = 16,
    kTrapped = 32
};

std::uint32_t wait_status(const WaitResult& r) {
    const auto status = static_cast<std::uint32_t>(r.status);
    switch (r.cause) {
        case SignalCause::ChildKilled:
            return status;
        case SignalCause::ChildDumped:
            return status | 0x80;
        case SignalCause::ChildStopped:
            return status << 8 | 0x7f;
        case SignalCause::ChildContinued:
            return static_cast<std::uint32_t>(Signal::Cont);
        default:
            return (status & 0xff) << 8;
    }
}

struct ResourceUsage {
    abi::Timeval user, system;
    std::int64_t max_resident;  // KiB
    std::int64_t other[13];
};
static_assert(sizeof(ResourceUsage) == 144);

ResourceUsage usage_of(Nanoseconds time) {
    ResourceUsage u{};
    u.user = abi::to_timeval(static_cast<std::int64_t>(time));
    return u;
}

Returns wait4(Arguments a) {
    const auto id = static_cast<std::int32_t>(a[0]);
    const auto flags = static_cast<std::uint32_t>(a[2]);
    if (flags & ~(kNoHang | kUntraced | kContinued | kNoWait | kExited | kTrapped))
        return fail(Errno::Inval);
    if (id == std::numeric_limits<std::int32_t>::min())  // has no negation, so is no group's
        return fail(Errno::Child);
    WaitOptions o{.stopped = (flags & kUntraced) != 0,
                  .continued = (flags & kContinued) != 0,
                  .no_hang = (flags & kNoHang) != 0,
                  .keep = (flags & kNoWait) != 0};
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

Returns wait6(Arguments a) {
    enum : std::int32_t {
        Pid = 0,
        Group = 2,
        All = 7
    };
    const auto flags = static_cast<std::uint32_t>(a[3]);
    if (flags & ~(kNoHang | kUntraced | kContinued | kNoWait | kExited | kTrapped) ||
        !(flags & (kUntraced | kContinued | kExited | kTrapped)))
        return fail(Errno::Inval);
    WaitOptions o{.id = static_cast<std::int32_t>(a[1]),
                  .exited = (flags & kExited) != 0,
                  .stopped = (flags & kUntraced) != 0,
                  .continued = (flags & kContinued) != 0,
                  .no_hang = (flags & kNoHang) != 0,
                  .keep = (flags & kNoWait) != 0};
    switch (static_cast<std::int32_t>(a[0])) {
        case Pid:
            o.which = WaitOptions::Which::Process;
            break;
        case Group:
            o.which = WaitOptions::Which::Group;
            break;
        case All:
            break;
        default:
            return fail(Errno::Inval);
    }
    const WaitResult r = SKEP_TRY(wait_for_child(o));
    if (r.process && a[2])
        SKEP_TRY(copy_out(a[2], wait_status(r)));
    if (a[4]) {
        const ResourceUsage usage[2] = {usage_of(r.time), {}};  // self, children
        SKEP_TRY(copy_out(a[4], usage));
    }
    if (a[5]) {
        BsdSignalInfo info{};
        if (r.process)
            info = to_bsd_info({.signal = Signal::Chld,
                                .cause = r.cause,
                                .process = r.process,
                                .user = r.user,
                                .status = r.status});
        SKEP_TRY(copy_out(a[5], info));
    }
    return static_cast<std::uint64_t>(r.process);
}

// --- usage and limits ---

Returns getrusage(Arguments a) {
    constexpr std::int32_t kSelf = 0, kChildren = -1, kThread = 1;
    Process& me = current_process();
    Nanoseconds time;
    switch (static_cast<std::int32_t>(a[0])) {
        case kSelf:
            time = process_time(me);
            break;
        case kChildren:
            time = me.children_time;
            break;
        case kThread:
            time = abi::thread_time(current_thread());
            break;
        default:
            return fail(Errno::Inval);
    }
    ResourceUsage u = usage_of(time);
    u.max_resident = static_cast<std::int64_t>(me.map->resident_pages() * kPageSize / 1024);
    SKEP_TRY(copy_out(a[1], u));
    return 0;
}

Result<Limit> limit_argument(std::uint64_t which) {
    const auto number = static_cast<std::uint32_t>(which);
    if (number >= kLimits)
        return fail(Errno::Inval);
    return static_cast<Limit>(number);  // the kernel's are FreeBSD's
}
Returns getrlimit(Arguments a) {
    static_assert(sizeof(ResourceLimit) == 16);  // struct rlimit; RLIM_INFINITY is kUnlimited
    SKEP_TRY(copy_out(
        a[1], SKEP_TRY(change_limit(current_process(), SKEP_TRY(limit_argument(a[0])), nullptr))));
    return 0;
}
Returns setrlimit(Arguments a) {
    const auto wanted = SKEP_TRY(copy_in<ResourceLimit>(a[1]));
    SKEP_TRY(change_limit(current_process(), SKEP_TRY(limit_argument(a[0])), &wanted));
    return 0;
}

Result<NiceOf> nice_argument(std::uint64_t which) {
    constexpr NiceOf kWhich[] = {NiceOf::Process, NiceOf::Group, NiceOf::User};
    const auto number = static_cast<std::uint32_t>(which);
    if (number >= std::size(kWhich))
        return fail(Errno::Inval);
    return kWhich[number];
}
Returns getpriority(Arguments a) {
    const int nice =
        SKEP_TRY(lowest_nice(SKEP_TRY(nice_argument(a[0])), static_cast<std::int32_t>(a[1])));
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(nice));
}
Returns setpriority(Arguments a) {
    return done(set_nice(SKEP_TRY(nice_argument(a[0])), static_cast<std::int32_t>(a[1]),
                         static_cast<std::int32_t>(a[2])));
}

// --- the bases of FS and GS ---

// What XSAVE keeps after the 512 bytes of old: struct amd64_get_xfpustate.
Returns extended_fpu(UserAddr at) {
    struct Request {
        UserAddr to;
        std::int32_t size, padding;
    };
    constexpr std::size_t kLegacySize = 512;
    const auto request = SKEP_TRY(copy_in<Request>(at));
    Thread& me = current_thread();
    {
        const InterruptsOff off;
        save_fpu(*me.fpu);
    }
    const std::span<const std::byte> bytes = fpu_bytes(*me.fpu);
    if (request.size < 0 || kLegacySize + static_cast<std::size_t>(request.size) > bytes.size())
        return fail(Errno::Inval);
    SKEP_TRY(
        copy_out(request.to, bytes.data() + kLegacySize, static_cast<std::size_t>(request.size)));
    return 0;
}

Returns sysarch(Arguments a) {
    enum : std::int32_t {
        GetFsBase = 128,
        SetFsBase = 129,
        GetGsBase = 130,
        SetGsBase = 131,
        GetExtendedFpu = 132,
        GetTlsBase = 135,
        SetTlsBase = 136
    };
    Thread& me = current_thread();
    const auto operation = static_cast<std::int32_t>(a[0]);
    save_user_bases(me);
    switch (operation) {
        case GetFsBase:
        case GetTlsBase:
            SKEP_TRY(copy_out(a[1], me.fs_base));
            return 0;
        case GetExtendedFpu:  // libthr asks, of a signal that it delivers later
            return extended_fpu(a[1]);
        case GetGsBase:
            SKEP_TRY(copy_out(a[1], me.gs_base));
            return 0;
        case SetFsBase:
        case SetTlsBase:
        case SetGsBase: {
            const auto base = SKEP_TRY(copy_in<std::uint64_t>(a[1]));
            if (base >= kUserEnd)
                return fail(Errno::Inval);
            const bool gs = operation == SetGsBase;
            const InterruptsOff off;
            (gs ? me.gs_base : me.fs_base) = base;
            write_msr(gs ? Msr::KernelGsBase : Msr::FsBase, base);
            return 0;
        }
        default:
            return fail(Errno::Inval);
    }
}

// --- ptrace ---

// sys/ptrace.h. The address says where to go on; 1: where it stopped.
Returns ptrace(Arguments a) {
    enum : std::int32_t {
        TraceMe = 0,
        Continue = 7,
        Kill = 8,
        Attach = 10,
        Detach = 11
    };
    const auto child = static_cast<std::int32_t>(a[1]);
    constexpr UserAddr kWhereItStopped = 1;
    const auto number = static_cast<std::uint32_t>(a[3]);
    switch (static_cast<std::int32_t>(a[0])) {
        case TraceMe:
            return done(be_traced());
        case Continue:
        case Detach:
            if (a[2] != kWhereItStopped || number >= kSignals)
                return fail(Errno::Inval);
            return done(static_cast<std::int32_t>(a[0]) == Continue
                            ? continue_traced(child, static_cast<Signal>(number))
                            : stop_tracing(child, static_cast<Signal>(number)));
        case Kill:
            return done(kill_traced(child));
        case Attach:
            return fail(Errno::Perm);
        default:
            return fail(Errno::Inval);
    }
}

constexpr Syscall kCalls[] = {
    {1, "exit", 1, exit},
    {2, "fork", 0, fork},
    {7, "wait4", 4, wait4, SyscallStatus::Partial, "usage has the processor time only"},
    {26, "ptrace", 4, ptrace, SyscallStatus::Partial,
     "PT_TRACE_ME, PT_CONTINUE, PT_DETACH, PT_KILL: children that asked for it stop at signals and "
     "exec; no registers, no memory"},
    {59, "execve", 3, execve},
    {66, "vfork", 0, vfork},
    {96, "setpriority", 3, setpriority},
    {100, "getpriority", 2, getpriority},
    {117, "getrusage", 2, getrusage, SyscallStatus::Partial,
     "processor time and resident memory only"},
    {165, "sysarch", 2, sysarch, SyscallStatus::Partial,
     "the bases of FS and GS; AMD64_GET_XFPUSTATE"},
    {194, "getrlimit", 2, getrlimit},
    {195, "setrlimit", 2, setrlimit, SyscallStatus::Partial,
     "STACK, NOFILE act; the others are kept"},
    {251, "rfork", 1, rfork, SyscallStatus::Partial, "RFPROC with RFFDG, RFMEM, RFSPAWN"},
    {463, "abort2", 3, abort2, SyscallStatus::Partial, "logs the first argument"},
    {492, "fexecve", 3, fexecve},
    {518, "pdfork", 2, pdfork},
    {519, "pdkill", 2, pdkill},
    {520, "pdgetpid", 2, pdgetpid},
    {532, "wait6", 6, wait6, SyscallStatus::Partial,
     "P_PID, P_PGID, P_ALL; usage has the processor time only"},
};

}  // namespace

const std::span<const Syscall> process_calls = kCalls;

}  // namespace skep::kernel::freebsd_abi
