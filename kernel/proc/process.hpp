// Processes: an address space, descriptors, threads; their family, groups and sessions.
//
// Lock order within proc: process_lock (the tree, ids, groups, sessions), then Process::lock
// (threads, signals). Both are spin locks.
#pragma once

#include <kernel/base/vector.hpp>
#include <kernel/event/source.hpp>
#include <kernel/mm/vm_map.hpp>
#include <kernel/proc/cpu_alarm.hpp>
#include <kernel/proc/posix_timers.hpp>
#include <kernel/proc/signal_state.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/sched/thread_impl.hpp>
#include <kernel/vfs/descriptor_table.hpp>
#include <kernel/vfs/fs_context.hpp>

#include <array>

namespace skep::kernel {

struct Personality;
class ProcessDescriptor;

using ProcessId = std::int32_t;

struct Credentials {
    std::uint32_t real_user = 0, effective_user = 0, saved_user = 0;
    std::uint32_t real_group = 0, effective_group = 0, saved_group = 0;
    std::array<std::uint32_t, 32> groups{};
    std::uint32_t group_count = 0;
    std::array<char, 33> login_class{"default"};  // login.conf(5)
};

// FreeBSD's numbers (sys/resource.h).
enum class Limit : std::uint8_t {
    Cpu,
    FileSize,
    Data,
    Stack,
    Core,
    ResidentSet,
    Memlock,
    Processes,
    OpenFiles,
    SocketBuffers,
    AddressSpace,
    Ptys,
    Swap,
    Kqueues,
    Umtx,
    PipeBuffers
};
inline constexpr unsigned kLimits = 16;
inline constexpr std::uint64_t kUnlimited = 0x7fff'ffff'ffff'ffff;
struct ResourceLimit {
    std::uint64_t current = kUnlimited, maximum = kUnlimited;
};

// FreeBSD's procctl(2) on what a program may do with its memory; kept over fork and exec.
struct MemoryPolicy {
    bool permits_write_execute = false, denies_write_execute_at_exec = false;
    enum class Maximum : std::uint8_t {
        Default,  // what is mapped may become anything
        Implied,  // no more than it was mapped with, unless PROT_MAX says so
        Never     // the same as Default, whatever the default is
    } maximum = Maximum::Default;
};

struct GroupTag {};
struct SiblingTag {};
struct AllTag {};

inline constexpr std::size_t kLoginNameSize = 33;  // FreeBSD's MAXLOGNAME, with the NUL

// Its controlling terminal knows it (kernel/dev/tty/tty.hpp).
class Session : public RefCounted {
  public:
    explicit Session(ProcessId leader) : id(leader) {}
    const ProcessId id;
    char login[kLoginNameSize] = "root";  // as setlogin(2) says; under process_lock
};

class ProcessGroup : public RefCounted, public ListNode<> {
  public:
    ProcessGroup(ProcessId leader, Ref<Session> of) : id(leader), session(std::move(of)) {}
    const ProcessId id;
    const Ref<Session> session;
    List<Process, GroupTag> members;
};

enum class ProcessState : std::uint8_t {
    Alive,
    Exiting,
    Zombie
};

class Process : public RefCounted,
                public ListNode<GroupTag>,
                public ListNode<SiblingTag>,
                public ListNode<AllTag> {
  public:
    ProcessId id = 0;
    const Personality* personality = nullptr;

    // Changed under process_lock by the process's only thread (exec, exit), which its own threads
    // need not take to read them. Others look while it is Alive.
    Ref<VmMap> map;
    Ref<DescriptorTable> descriptors;
    Ref<FsContext> fs;
    Ref<Vnode> executable;

    // --- under process_lock ---
    Process* parent = nullptr;
    List<Process, SiblingTag> children;
    Ref<ProcessGroup> group;
    ProcessState state = ProcessState::Alive;
    EventSource life_events, signal_events;   // kernel/event/process_source.hpp
    std::int32_t exit_code = 0;               // exit status, or
    Signal exit_signal_taken = Signal::None;  // the signal that killed it
    Signal parent_signal = Signal::Chld;      // clone's exit signal
    bool dumped = false;
    bool executed = false;              // has called exec since fork
    Signal stop_signal = Signal::None;  // not None: a stop the parent has not waited for yet
    bool continue_reported = true;      // false: a continue it has not waited for
    Nanoseconds children_time = 0;
    WaitQueue child_changed;  // for wait4; guarded by process_lock

    // --- under lock ---
    SpinLock lock{"Process"};
    List<Thread, ProcessTag> threads;
    std::uint32_t thread_count = 0;
    bool exiting = false;           // every thread ends at its next return to user mode
    Thread* exec_thread = nullptr;  // waits until it is the only one
    WaitQueue thread_left;
    bool stopped = false;
    std::uint32_t resumes =
        0;  // how often SIGCONT or SIGKILL has come: they cancel a stop that has not happened yet
    WaitQueue resumed;
    PendingSignals pending;
    std::array<SignalAction, kSignals> actions{};
    Credentials credentials;
    std::array<ResourceLimit, kLimits> limits{};
    Nanoseconds dead_threads_time = 0;
    char command[16] = {};
    Vector<char> arguments;  // as exec passed them, NUL-separated (for /proc)

    // vfork: the parent sleeps until the child leaves the address space.
    bool vfork_done = true;
    WaitQueue vfork_left;  // guarded by lock

    Nanoseconds started = 0;
    bool dumpable = true;
    bool no_new_privileges = false;
    bool child_subreaper = false;
    MemoryPolicy memory_policy;  // under process_lock, as its map's

    // --- under process_lock ---
    Signal parent_death_signal = Signal::None;  // sent to it when its parent ends
    ProcessDescriptor* descriptor = nullptr;    // that pdfork made, while it is open
    bool traced = false;                        // by its parent (trace.hpp)
    Signal trace_signal = Signal::None;  // what the tracer lets through when it resumes the process

    // setitimer(2)'s; set under alarm_lock.
    Mutex alarm_lock{"Process alarm"};
    Nanoseconds alarm_interval = 0;
    Timer alarm{on_alarm, this};
    CpuAlarm virtual_alarm{*this, Signal::VtAlrm}, profiling_alarm{*this, Signal::Prof};
    PosixTimers posix_timers{*this};

    std::uint64_t limit(Limit which) {
        const SpinGuard guard(lock);
        return limits[static_cast<std::size_t>(which)].current;
    }

  private:
    static void on_alarm(Timer&, void*);
};

extern SpinLock process_lock;
extern Process* init_process;

// --- ids ---
// A process or a thread by number: ids are shared between them.
struct IdOwner {
    Process* process = nullptr;
    Thread* thread = nullptr;
};
// A number that names nobody yet.
Result<std::int32_t> allocate_id();
void free_id(std::int32_t id);
// The one given last.
std::int32_t newest_id();
// With process_lock held. Zombies are found too.
Process* find_process(ProcessId id);
Thread* find_thread(std::int32_t id);
ProcessGroup* find_group(ProcessId id);
extern List<Process, AllTag> all_processes;

// --- groups and sessions (process_lock is taken) ---
Result<ProcessId> create_session();
Result<> set_process_group(ProcessId process, ProcessId group);
void leave_group(Process& process);  // with process_lock held

// --- life ---
struct ForkOptions {
    bool share_memory = false;      // CLONE_VM (a new process)
    bool share_files = false;       // CLONE_FILES
    bool share_fs = false;          // CLONE_FS
    bool wait_for_exec = false;     // CLONE_VFORK
    bool clear_handlers = false;    // CLONE_CLEAR_SIGHAND
    bool parent_of_caller = false;  // CLONE_PARENT
    Signal exit_signal = Signal::Chld;
    // pdfork: what stands for the child, and its number in the parent's table, which the child does
    // not inherit.
    ProcessDescriptor* descriptor = nullptr;
    std::uint32_t descriptor_number = 0;
};
// What a new thread starts with, of either kind.
struct ThreadStart {
    TrapFrame frame{};
    bool set_tls = false;
    std::uint64_t tls = 0;
    UserAddr store_id_parent = 0;   // the id is stored here in the parent's memory,
    UserAddr store_id_child = 0;    // here in the child's,
    UserAddr clear_id_at_exit = 0;  // and cleared here, with a futex wake, at its end
};
Result<ProcessId> fork_process(const ForkOptions&, const ThreadStart&);
Result<std::int32_t> create_user_thread(const ThreadStart&);

// These never return, so nothing with a destructor may be alive in the callers: its references
// would be kept for ever. The calling thread ends.
[[noreturn]] void exit_user_thread();
// All threads begin to end, the process with this; if it does already, with what was first. With
// Process::lock held.
void begin_exit(Process& process, std::int32_t status, Signal signal);
// The process ends with a status; all threads.
[[noreturn]] void exit_process(std::int32_t status);
[[noreturn]] void exit_process_by_signal(Signal signal);
// The others end; returns when the caller is the only one. Intr: the process is dying anyway.
Result<> become_single_threaded();
// A session leader that ends gives up its terminal.
void leave_terminal(Process& process);
// Who gets its children if it ends: the nearest ancestor that asked to, else init. With
// process_lock held.
Process& reaper_of(const Process& process);
// The address space is left (exec or exit): wakes a vfork parent.
void release_vfork_parent(Process& process);

struct WaitOptions {
    enum class Which : std::uint8_t {
        Any,
        Process,
        Group
    } which = Which::Any;
    std::int32_t id = 0;
    bool exited = true, stopped = false, continued = false;
    bool no_hang = false;
    bool keep = false;  // WNOWAIT
    bool only_clones = false, clones_too = true;
};
struct WaitResult {
    ProcessId process = 0;  // 0: nothing yet (no_hang)
    SignalCause cause = SignalCause::ChildExited;
    std::int32_t status = 0;  // exit code or FreeBSD signal number
    std::uint32_t user = 0;
    Nanoseconds time = 0;
};
Result<WaitResult> wait_for_child(const WaitOptions&);

Nanoseconds process_time(Process& process);

}  // namespace skep::kernel
