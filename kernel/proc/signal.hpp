// Sending and delivering signals.
#pragma once

#include <kernel/proc/process.hpp>

namespace skep::kernel {

// To the process: any thread that does not block it takes it. With process_lock held or the process
// otherwise kept alive.
void send_signal(Process& process, const SignalInfo& info);
void send_signal(Thread& thread, const SignalInfo& info);
// To every member; process_lock is taken. NoEnt groups are ignored. -> how many got it.
unsigned send_signal_to_group(ProcessId group, const SignalInfo& info);
// With process_lock held.
unsigned send_signal_to_group_locked(ProcessGroup& group, const SignalInfo& info);
// kill(2): id > 0 a process, 0 the own group, -1 everyone, < -1 a group. Errors: Srch, Perm.
// Signal::None only checks.
Result<> kill(std::int32_t id, const SignalInfo& info);
Result<> kill_thread(std::int32_t process, std::int32_t thread,
                     const SignalInfo& info);  // process <= 0: any

// An exception of the current thread: delivered even if blocked or ignored (then it kills).
void raise_exception(const SignalInfo& info);

// sigaction; out of range or unblockable: Inval.
Result<> set_signal_action(Signal signal, const SignalAction* action, SignalAction* old);
void set_signal_mask(const SignalSet& mask);
// Waits until a signal is delivered under `mask`, which counts until then. Always fails: Intr.
Result<> signal_suspend(const SignalSet& mask);
// sigtimedwait. Errors: Again (deadline), Intr.
Result<SignalInfo> wait_for_signal(const SignalSet& set, Nanoseconds deadline);
// The mask counts until a signal handler has been set up or the call ended without one (ppoll,
// pselect, epoll_pwait).
void set_temporary_mask(const SignalSet& mask);
void restore_mask_now();

// In process context before return to user mode: delivers what is pending. Interrupts on.
void deliver_signals(TrapFrame& frame);
// exec: handlers become default, ignored ones stay; the alternate stack goes.
void reset_signals_for_exec(Process& process);
// Recomputes Thread::attention after a change of masks, pending signals or state. With
// Process::lock held.
void update_attention(Thread& thread);
// With Process::lock held. A process that stops, or goes on.
void set_stopped(Process& process, bool stopped);
// How many are stopped.
extern std::atomic<std::uint32_t> stopped_processes;
// Whether it ends at its next return to user mode, whatever else happens.
bool must_end(const Thread& thread);
// With process_lock held: there is something that the thread must look at before it goes on.
bool signal_has_come(Thread& thread);

// Terminal job control: whether the signal would be ignored or blocked by the caller.
bool ignores_or_blocks(Signal signal);
bool is_orphaned_group(ProcessGroup& group);  // with process_lock held

}  // namespace skep::kernel
