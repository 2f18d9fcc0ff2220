#include <kernel/proc/signal.hpp>

#include <kernel/abi/personality.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/base/log.hpp>
#include <kernel/event/process_source.hpp>

#include <limits>
#include <new>

namespace skep::kernel {

namespace {

constexpr SignalSet kIgnoredByDefault{Signal::Chld, Signal::Urg, Signal::Winch,
                                      Signal::Cont, Signal::Io,  Signal::Info};
constexpr SignalSet kStops{Signal::Stop, Signal::Tstp, Signal::Ttin, Signal::Ttou};
constexpr SignalSet kTerminalStops{Signal::Tstp, Signal::Ttin, Signal::Ttou};
constexpr SignalSet kDumps{Signal::Quit, Signal::Ill,  Signal::Trap, Signal::Abrt, Signal::Fpe,
                           Signal::Bus,  Signal::Segv, Signal::Sys,  Signal::Xcpu, Signal::Xfsz};

// One that waits, with Process::lock held.
SignalInfo take(Process& p, PendingSignals& from, Signal signal) {
    const SignalInfo info = from.take(signal);
    if (info.cause == SignalCause::Timer)
        p.posix_timers.delivered(info);
    return info;
}

SignalAction& action_of(Process& p, Signal s) {
    return p.actions[static_cast<std::size_t>(s)];
}

bool is_ignored(Process& p, Signal s) {
    const UserAddr handler = action_of(p, s).handler;
    return handler == kSignalIgnore || (handler == kSignalDefault && kIgnoredByDefault.has(s));
}

SignalSet deliverable(Thread& t) {
    return (t.signals.pending.set() | t.process->pending.set()) & ~t.signals.mask;
}

// With the lock held.
void poke(Thread& t) {
    update_attention(t);
    if (!t.attention.load(std::memory_order_relaxed))
        return;
    wake_interruptible(t);
    // One that runs in user mode on another CPU enters the kernel.
    interrupt_thread(t);
}

// The part that needs Process::lock. `target` is null for the whole process. Takes over `node`.
void post(Process& p, Thread* target, const SignalInfo& info, QueuedSignal* node) {
    const Signal s = info.signal;
    const SpinGuard guard(p.lock);
    if (p.exiting) {
        delete node;
        return;
    }
    if (s == Signal::Kill || s == Signal::Cont) {
        p.resumes++;
        p.pending.discard(kStops);
        for (Thread& t : p.threads)
            t.signals.pending.discard(kStops);
        if (p.stopped)
            set_stopped(p, false);
    } else if (kStops.has(s)) {
        p.pending.discard({Signal::Cont});
        for (Thread& t : p.threads)
            t.signals.pending.discard({Signal::Cont});
    }
    // An ignored signal is dropped unless someone blocks it (and may wait for it with sigwait).
    auto blocked = [&](Thread& t) { return t.signals.mask.has(s) || t.signals.waiting_for.has(s); };
    bool keep = !is_ignored(p, s);
    for (Thread& t : p.threads)
        keep = keep || ((!target || target == &t) && blocked(t));
    if (!keep) {
        delete node;
        return;
    }
    (target ? target->signals.pending : p.pending).add(info, node);
    if (target) {
        poke(*target);
        if (target->signals.waiting_for.has(s))
            wake_interruptible(*target);
        return;
    }
    // A thread that waits for it, else the first that does not block it; for SIGKILL all.
    for (Thread& t : p.threads)
        if (t.signals.waiting_for.has(s)) {
            wake_interruptible(t);
            return;
        }
    for (Thread& t : p.threads)
        if (!t.signals.mask.has(s)) {
            poke(t);
            if (s != Signal::Kill && !kStops.has(s))
                break;
        }
}

}  // namespace

void update_attention(Thread& t) {
    const Process& p = *t.process;
    t.attention.store(
        p.exiting || p.stopped || (p.exec_thread && p.exec_thread != &t) || !deliverable(t).empty(),
        std::memory_order_seq_cst);
}

std::atomic<std::uint32_t> stopped_processes{0};

void set_stopped(Process& p, bool stopped) {
    if (p.stopped == stopped)
        return;
    p.stopped = stopped;
    if (stopped) {
        stopped_processes.fetch_add(1);
    } else {
        stopped_processes.fetch_sub(1);
        p.resumed.wake_all();
    }
}

// Without the lock: what it looks at, once true, stays so until the thread has ended.
bool must_end(const Thread& t) {
    const Process& p = *t.process;
    return p.exiting || (p.exec_thread && p.exec_thread != &t) ||
           p.pending.set().has(Signal::Kill) || t.signals.pending.set().has(Signal::Kill);
}

bool signal_has_come(Thread& t) {
    const SpinGuard guard(t.process->lock);
    return t.attention.load(std::memory_order_relaxed) || !deliverable(t).empty();
}

bool signal_pending() {
    const Thread& me = current_thread();
    return me.process && me.attention.load(std::memory_order_seq_cst);
}

void send_signal(Process& p, const SignalInfo& info) {
    if (p.state == ProcessState::Zombie || info.signal == Signal::None)
        return;
    // init gets only what it asks for.
    if (&p == init_process) {
        const SpinGuard guard(p.lock);
        if (action_of(p, info.signal).handler <= kSignalIgnore)
            return;
    }
    post(p, nullptr, info, new (std::nothrow) QueuedSignal);
    p.signal_events.notify(signal_event(static_cast<unsigned>(info.signal)));
    if (info.signal == Signal::Cont && p.parent) {
        // Reported to a parent that waits with WCONTINUED.
        p.continue_reported = false;
        p.parent->child_changed.wake_all();
    }
}

void send_signal(Thread& t, const SignalInfo& info) {
    if (info.signal == Signal::None)
        return;
    post(*t.process, &t, info, new (std::nothrow) QueuedSignal);
    t.process->signal_events.notify(signal_event(static_cast<unsigned>(info.signal)));
}

unsigned send_signal_to_group_locked(ProcessGroup& group, const SignalInfo& info) {
    unsigned count = 0;
    for (Process& p : group.members) {
        send_signal(p, info);
        count++;
    }
    return count;
}

unsigned send_signal_to_group(ProcessId id, const SignalInfo& info) {
    const SpinGuard guard(process_lock);
    ProcessGroup* group = find_group(id);
    return group ? send_signal_to_group_locked(*group, info) : 0;
}

namespace {

bool may_signal(Process& target, Signal signal) {
    Process& me = current_process();
    if (&me == &target)
        return true;
    const Credentials &mine = me.credentials, &theirs = target.credentials;
    return mine.effective_user == 0 || mine.effective_user == theirs.real_user ||
           mine.effective_user == theirs.saved_user || mine.real_user == theirs.real_user ||
           mine.real_user == theirs.saved_user ||
           (signal == Signal::Cont && me.group->session == target.group->session);
}

}  // namespace

Result<> kill(std::int32_t id, const SignalInfo& info) {
    if (id == std::numeric_limits<std::int32_t>::min())  // has no negation, so is no group's
        return fail(Errno::Srch);
    Process& me = current_process();
    const SpinGuard guard(process_lock);
    if (id > 0) {
        Process* target = find_process(id);
        if (!target)
            return fail(Errno::Srch);
        if (target->state != ProcessState::Zombie) {
            if (!may_signal(*target, info.signal))
                return fail(Errno::Perm);
            send_signal(*target, info);
        }
        return {};
    }
    bool found = false, allowed = false;
    auto to = [&](Process& p) {
        found = true;
        if (p.state == ProcessState::Zombie || may_signal(p, info.signal)) {
            allowed = true;
            send_signal(p, info);
        }
    };
    if (id == -1) {
        for (Process& p : all_processes)
            if (p.id > 1 && &p != &me)
                to(p);
    } else if (ProcessGroup* group = id == 0 ? me.group.get() : find_group(-id)) {
        for (Process& p : group->members)
            to(p);
    }
    if (!found)
        return fail(Errno::Srch);
    if (!allowed)
        return fail(Errno::Perm);
    return {};
}

Result<> kill_thread(std::int32_t process, std::int32_t thread, const SignalInfo& info) {
    const SpinGuard guard(process_lock);
    Thread* target = find_thread(thread);
    if (!target || (process > 0 && target->process->id != process))
        return fail(Errno::Srch);
    if (!may_signal(*target->process, info.signal))
        return fail(Errno::Perm);
    send_signal(*target, info);
    return {};
}

void raise_exception(const SignalInfo& info) {
    Thread& me = current_thread();
    Process& p = *me.process;
    auto* node = new (std::nothrow) QueuedSignal;
    const SpinGuard guard(p.lock);
    SignalAction& action = action_of(p, info.signal);
    if (me.signals.mask.has(info.signal) || action.handler == kSignalIgnore) {
        // It cannot go on, and cannot be told: the default action.
        action.handler = kSignalDefault;
        me.signals.mask.remove(info.signal);
    }
    me.signals.pending.add(info, node);
    update_attention(me);
}

Result<> set_signal_action(Signal s, const SignalAction* action, SignalAction* old) {
    if (s == Signal::None || (action && kUnblockable.has(s)))
        return fail(Errno::Inval);
    Process& p = current_process();
    const SpinGuard guard(p.lock);
    SignalAction& current = action_of(p, s);
    if (old)
        *old = current;
    if (!action)
        return {};
    current = *action;
    current.mask = current.mask & ~kUnblockable;
    if (is_ignored(p, s)) {
        SignalSet set{s};
        p.pending.discard(set);
        for (Thread& t : p.threads) {
            t.signals.pending.discard(set);
            update_attention(t);
        }
    }
    return {};
}

void set_signal_mask(const SignalSet& mask) {
    Thread& me = current_thread();
    const SpinGuard guard(me.process->lock);
    me.signals.mask = mask & ~kUnblockable;
    update_attention(me);
}

void set_temporary_mask(const SignalSet& mask) {
    Thread& me = current_thread();
    const SpinGuard guard(me.process->lock);
    if (!me.signals.restore_mask) {
        me.signals.saved_mask = me.signals.mask;
        me.signals.restore_mask = true;
    }
    me.signals.mask = mask & ~kUnblockable;
    update_attention(me);
}

void restore_mask_now() {
    Thread& me = current_thread();
    const SpinGuard guard(me.process->lock);
    if (!me.signals.restore_mask)
        return;
    me.signals.restore_mask = false;
    me.signals.mask = me.signals.saved_mask;
    update_attention(me);
}

Result<> signal_suspend(const SignalSet& mask) {
    set_temporary_mask(mask);
    WaitQueue nobody;
    SpinLock lock("signal_suspend");
    SpinGuard guard(lock);
    while (!signal_pending())
        (void)nobody.wait(guard);
    return fail(Errno::Intr);
}

Result<SignalInfo> wait_for_signal(const SignalSet& set, Nanoseconds deadline) {
    Thread& me = current_thread();
    Process& p = *me.process;
    WaitQueue nobody;
    SpinGuard guard(p.lock);
    for (;;) {
        for (PendingSignals* pending : {&me.signals.pending, &p.pending})
            if (const Signal s = (pending->set() & set).first(); s != Signal::None) {
                me.signals.waiting_for = {};
                const SignalInfo info = take(p, *pending, s);
                update_attention(me);
                return info;
            }
        me.signals.waiting_for = set;
        const Result<> waited = nobody.wait(guard, Sleep::Interruptible, deadline);
        if (waited && !signal_pending())
            continue;
        if (!((me.signals.pending.set() | p.pending.set()) & set).empty())
            continue;
        me.signals.waiting_for = {};
        if (!waited)
            return fail(waited.error() == Errno::TimedOut ? Errno::Again : Errno::Intr);
    }
}

bool ignores_or_blocks(Signal s) {
    Thread& me = current_thread();
    const SpinGuard guard(me.process->lock);
    return me.signals.mask.has(s) || action_of(*me.process, s).handler == kSignalIgnore;
}

bool is_orphaned_group(ProcessGroup& group) {
    for (Process& p : group.members)
        if (p.parent && p.state != ProcessState::Zombie && p.parent->group != p.group &&
            p.parent->group && p.parent->group->session == group.session)
            return false;
    return true;
}

void reset_signals_for_exec(Process& p) {
    Thread& me = current_thread();
    const SpinGuard guard(p.lock);
    for (SignalAction& action : p.actions) {
        const bool ignored = action.handler == kSignalIgnore;
        action = {};
        action.handler = ignored ? kSignalIgnore : kSignalDefault;
    }
    me.signals.stack = {};
    update_attention(me);
}

namespace {

void report_stop(Process& p, Signal signal) {
    const SpinGuard guard(process_lock);
    p.stop_signal = signal;
    Process* parent = p.parent;
    if (!parent)
        return;
    parent->child_changed.wake_all();
    if (!(action_of(*parent, Signal::Chld).flags & SignalAction::kNoChildStop))
        send_signal(*parent, {.signal = Signal::Chld,
                              .cause = SignalCause::ChildStopped,
                              .process = p.id,
                              .user = p.credentials.real_user,
                              .status = static_cast<std::int32_t>(signal)});
}

// The default action of a stop signal; the guard's lock is p.lock.
void stop(Process& p, Signal signal, SpinGuard& guard) {
    const std::uint32_t resumes = p.resumes;
    if (kTerminalStops.has(signal)) {
        guard.unlock();
        bool orphaned;
        {
            const SpinGuard tree(process_lock);
            orphaned = is_orphaned_group(*p.group);
        }
        guard.relock();
        if (orphaned)
            return;
    }
    if (p.stopped || p.exiting || p.resumes != resumes)
        return;
    set_stopped(p, true);
    for (Thread& t : p.threads)
        poke(t);
    guard.unlock();
    report_stop(p, signal);
    guard.relock();
}

// A traced process stops until its tracer resumes it. -> the signal that the tracer lets through;
// `info` is told of another one. The guard's lock is p.lock.
Signal ask_tracer(Process& p, SignalInfo& info, SpinGuard& guard) {
    if (p.stopped || p.exiting)
        return info.signal;
    set_stopped(p, true);
    p.trace_signal = Signal::None;
    for (Thread& t : p.threads)
        poke(t);
    guard.unlock();
    report_stop(p, info.signal);
    guard.relock();
    while (p.stopped)
        (void)p.resumed.wait(guard, Sleep::Uninterruptible);
    if (p.trace_signal != info.signal)
        info = {.signal = p.trace_signal, .cause = SignalCause::User};
    return info.signal;
}

void log_fatal(Process& p, Thread& me, const TrapFrame& frame, const SignalInfo& info) {
    if (!kDumps.has(info.signal))
        return;
    log("{} (pid {} tid {}) killed by signal {} (address {:x}, rip {:x}, rsp {:x})",
        static_cast<const char*>(p.command), p.id, me.id, static_cast<unsigned>(info.signal),
        info.address, frame.rip, frame.rsp);
}

}  // namespace

void deliver_signals(TrapFrame& frame) {
    Thread& me = current_thread();
    Process& p = *me.process;
    SpinGuard guard(p.lock);
    for (;;) {
        if (p.exiting || (p.exec_thread && p.exec_thread != &me)) {
            guard.unlock();
            exit_user_thread();
        }
        if (p.stopped) {
            (void)p.resumed.wait(guard, Sleep::Uninterruptible);
            continue;
        }
        // Synchronous ones and SIGKILL come before what others sent.
        PendingSignals& from =
            (me.signals.pending.set() & ~me.signals.mask).empty() ? p.pending : me.signals.pending;
        const SignalSet ready = from.set() & ~me.signals.mask;
        Signal s = p.pending.set().has(Signal::Kill) ? Signal::Kill : ready.first();
        if (s == Signal::None)
            break;
        const bool of_process = s == Signal::Kill && p.pending.set().has(s);
        SignalInfo info = take(p, of_process ? p.pending : from, s);
        if (p.traced && s != Signal::Kill) {
            s = ask_tracer(p, info, guard);
            if (s == Signal::None)
                continue;
        }
        SignalAction& action = action_of(p, s);
        const SignalAction taken = action;
        if (taken.handler == kSignalIgnore)
            continue;
        if (taken.handler == kSignalDefault) {
            if (kIgnoredByDefault.has(s))
                continue;
            if (kStops.has(s)) {
                stop(p, s, guard);
                continue;
            }
            // Before the lock is free: no other thread may see the signal gone and go on, perhaps
            // to exit(2) with a status of its own.
            begin_exit(p, 0, s);
            guard.unlock();
            log_fatal(p, me, frame, info);
            exit_user_thread();
        }

        // A handler.
        const SignalSet old_mask =
            me.signals.restore_mask ? me.signals.saved_mask : me.signals.mask;
        me.signals.restore_mask = false;
        if (taken.flags & SignalAction::kResetHand)
            action.handler = kSignalDefault;
        me.signals.mask = me.signals.mask | taken.mask;
        if (!(taken.flags & SignalAction::kNoDefer))
            me.signals.mask.add(s);
        me.signals.mask = me.signals.mask & ~kUnblockable;
        update_attention(me);
        guard.unlock();
        if (me.restart == SyscallRestart::Wanted) {
            if (taken.flags & SignalAction::kRestart)
                p.personality->restart_syscall(frame);
            else
                p.personality->set_result(frame, fail(Errno::Intr));
            me.restart = SyscallRestart::None;
        }
        if (!p.personality->push_signal_frame(frame, info, taken, old_mask)) {
            log("{} (pid {}): no room for the frame of signal {}",
                static_cast<const char*>(p.command), p.id, static_cast<unsigned>(s));
            exit_process_by_signal(Signal::Segv);
        }
        guard.relock();
    }
    if (me.signals.restore_mask) {
        me.signals.restore_mask = false;
        me.signals.mask = me.signals.saved_mask;
    }
    update_attention(me);
    const bool again = me.attention.load(std::memory_order_relaxed);
    guard.unlock();
    if (again)
        return;  // the restored mask lets something through: the caller comes back
    if (me.restart == SyscallRestart::Wanted) {
        p.personality->restart_syscall(frame);
        me.restart = SyscallRestart::None;
    }
}

}  // namespace skep::kernel
