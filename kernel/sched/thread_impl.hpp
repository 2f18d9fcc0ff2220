// A thread: what the scheduler switches between. Kernel threads have no process.
#pragma once

#include <kernel/arch/x86_64/fpu.hpp>
#include <kernel/arch/x86_64/trap.hpp>
#include <kernel/base/list.hpp>
#include <kernel/event/thread_queues.hpp>
#include <kernel/mm/user.hpp>
#include <kernel/proc/signal_state.hpp>
#include <kernel/sched/cpu_time.hpp>
#include <kernel/sched/nice.hpp>
#include <kernel/sched/thread.hpp>
#include <kernel/sync/held_locks.hpp>
#include <kernel/sync/wait.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace skep::kernel {

enum class ThreadState : std::uint8_t {
    Running,   // on a CPU
    Runnable,  // in a run queue, or about to be put there by who woke it
    Sleeping,
    Exited,  // its stack is freed by whom its CPU switches to
};

// Scheduling levels, 0 first. Kernel threads that serve devices come before programs; a program's
// thread sinks when it uses up its slice and rises when it sleeps.
inline constexpr std::uint8_t kLevelKernel = 0;
inline constexpr std::uint8_t kLevelUserFirst = 1;
inline constexpr std::uint8_t kLevelUserLast = 4;
inline constexpr unsigned kLevels = 5;
inline constexpr std::uint8_t kNothingLent = 0xff;

// A system call that was interrupted before it did anything starts again after the signal, unless a
// handler without SA_RESTART runs.
enum class SyscallRestart : std::uint8_t {
    None,
    Wanted
};

struct RunTag {};
struct ProcessTag {};

class RunQueue;

class Thread : public ListNode<RunTag>, public ListNode<ProcessTag> {
  public:
    // The frame at the top of a program's thread's kernel stack: its registers in user mode.
    TrapFrame& user_frame() { return *(reinterpret_cast<TrapFrame*>(stack_top) - 1); }

    const char* name = "";
    std::uint64_t stack_top = 0;
    std::uint64_t saved_rsp = 0;

    std::atomic<ThreadState> state{ThreadState::Runnable};
    std::atomic<bool> on_cpu{false};         // its stack is in use; set and cleared by the switch
    std::atomic<bool> interruptible{false};  // the sleep, if it sleeps
    std::uint8_t level = kLevelUserFirst;
    std::atomic<std::uint8_t> lent{kNothingLent};  // by who waits for its mutexes (sync/mutex.cpp)
    std::uint8_t urgency() const { return std::min(level, lent.load(std::memory_order_relaxed)); }
    std::uint8_t queued_level = 0;              // the list that it is in, while it is in
    std::atomic<RunQueue*> run_queue{nullptr};  // this queue
    std::uint32_t contended_mutexes = 0;        // that it owns
    Mutex* waits_for = nullptr;
    HeldSleepLocks held_mutexes;        // in test builds
    std::atomic<std::uint32_t> cpu{0};  // where it runs or ran last
    std::uint64_t affinity = ~0ull;     // bit per CPU
    Nanoseconds slice_used = 0;
    bool slice_ended() const { return slice_used >= slice.load(std::memory_order_relaxed); }
    Nanoseconds queued_at = 0;  // since when its turn is due, while Runnable
    CpuTime cpu_time;
    std::int8_t nice = 0;                    // under process_lock (proc/nice.hpp), and
    std::atomic<Nanoseconds> slice{kSlice};  // what follows from it

    // Of a program's thread.
    Process* process = nullptr;
    std::int32_t id = 0;
    std::uint64_t fs_base = 0, gs_base = 0;
    FpuState* fpu = nullptr;
    bool fpu_live =
        true;  // the registers are the program's while it runs; not under an FpuBorrowed
    ThreadSignals signals;               // under Process::lock
    std::atomic<bool> attention{false};  // something to do before the return to user mode
    SyscallRestart restart = SyscallRestart::None;
    UserAddr clear_child_tid = 0;
    UserAddr store_id_at_start = 0;
    // Where it keeps what locks it holds that are to be freed if it dies: Linux's list; FreeBSD's
    // lists of shared and of private ones, and the one that is in neither for the moment.
    UserAddr robust_list = 0, robust_private_list = 0, robust_inactive = 0;
    ThreadQueues event_queues;
    char command[16] = {};  // prctl(PR_SET_NAME)
};

// Puts the calling thread to sleep; the pieces from which WaitQueue::wait is made. Interrupts must
// be masked from begin_sleep on. Between begin_sleep and sleep, wakers may already come.
void begin_sleep(Sleep how);
// Gives up the CPU until woken. Nothing spins on locks of this CPU.
void sleep_now();
// Instead of sleep_now: stays awake.
void cancel_sleep();
// Ends a sleep that has begun; false if the thread does not sleep.
bool wake(Thread& thread);
// The same if the sleep is interruptible.
void wake_interruptible(Thread& thread);

// Thread::fs_base and gs_base as the program has them now; of the calling thread.
void save_user_bases(Thread& me);

// After a change of its urgency: to its place, if it waits in a run queue. Interrupts masked.
void requeue(Thread& thread);

// A thread that runs in user mode on another CPU is made to enter the kernel.
void interrupt_thread(Thread& thread);

// A thread that is not running yet; start_thread makes it runnable.
Result<Thread*> create_thread(const char* name, void (*entry)(void*), void* argument);
void start_thread(Thread& thread);
void destroy_unstarted_thread(Thread* thread);
[[noreturn]] void exit_thread();

}  // namespace skep::kernel
