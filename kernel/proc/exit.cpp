// Death of threads and processes, and waiting for it.
#include <kernel/abi/personality.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/base/log.hpp>
#include <kernel/dev/acpi/power.hpp>
#include <kernel/event/process_source.hpp>
#include <kernel/ipc/sysv_semaphores.hpp>
#include <kernel/proc/futex.hpp>
#include <kernel/proc/ids.hpp>
#include <kernel/proc/process.hpp>
#include <kernel/proc/process_descriptor.hpp>
#include <kernel/proc/signal.hpp>

namespace skep::kernel {

namespace {

// With process_lock held.
bool parent_does_not_wait(Process& parent) {
    const SpinGuard guard(parent.lock);
    const SignalAction& action = parent.actions[static_cast<std::size_t>(Signal::Chld)];
    return action.handler == kSignalIgnore || action.flags & SignalAction::kNoChildWait;
}

// With process_lock held: out of every list. The caller drops the reference and the id afterwards.
void unlink(Process& p) {
    if (p.parent)
        List<Process, SiblingTag>::remove(p);
    p.parent = nullptr;
    leave_group(p);
    List<Process, AllTag>::remove(p);
    set_id_owner(p.id, {});
}

void finish_reaping(Process& p) {
    const ProcessId id = p.id;
    Ref<Process>::adopt(&p).reset();
    free_id(id);
}

void notify_parent(Process& p) {
    Process& parent = *p.parent;
    // Where wait_for_child() finds it at once, however many live ones there are.
    List<Process, SiblingTag>::remove(p);
    parent.children.push_front(p);
    SignalInfo info{.signal = p.parent_signal,
                    .cause = SignalCause::ChildExited,
                    .process = p.id,
                    .user = p.credentials.real_user,
                    .status = p.exit_code};
    if (p.exit_signal_taken != Signal::None) {
        info.cause = p.dumped ? SignalCause::ChildDumped : SignalCause::ChildKilled;
        info.status = static_cast<std::int32_t>(p.exit_signal_taken);
    }
    if (p.descriptor)
        p.descriptor->child_ended();  // and no signal
    else if (info.signal != Signal::None)
        send_signal(parent, info);
    parent.child_changed.wake_all();
}

// With process_lock held: a child, already out of its parent's list, gets its reaper for a parent.
void give_to_reaper(Process& child) {
    Process& reaper = reaper_of(child);
    child.parent = &reaper;
    reaper.children.push_back(child);
    child.parent_signal = Signal::Chld;
    if (child.state == ProcessState::Zombie)
        notify_parent(child);
}

// Whether this pair keeps the child's group from being orphaned (POSIX, "orphaned process group").
bool is_tie(const Process& parent, const Process& child) {
    return parent.group && child.group && parent.group != child.group &&
           parent.group->session == child.group->session;
}

// Stopped members of a group that has just lost a tie to its session, and that was the last one,
// are let go. A group that never had one stays as it is.
void release_orphans(ProcessGroup& group) {
    // Groups may be large, and end member by member: without this a fork bomb's death would take
    // the square of its size.
    if (stopped_processes.load() == 0 || !is_orphaned_group(group))
        return;
    bool any_stopped = false;
    for (Process& p : group.members)
        any_stopped = any_stopped || p.stopped;
    if (!any_stopped)
        return;
    send_signal_to_group_locked(group, {.signal = Signal::Hup});
    send_signal_to_group_locked(group, {.signal = Signal::Cont});
}

void end_process(Thread& me, Process& p) {
    p.alarm.cancel();
    p.virtual_alarm.cancel();
    p.profiling_alarm.cancel();
    p.posix_timers.clear();
    sysv::undo_semaphores(p.id);
    release_vfork_parent(p);
    {
        Ref<DescriptorTable> descriptors;
        Ref<FsContext> fs;
        Ref<Vnode> executable;
        Ref<VmMap> map;
        SpinGuard guard(process_lock);
        p.state = ProcessState::Exiting;
        std::swap(p.descriptors, descriptors);
        std::swap(p.fs, fs);
        std::swap(p.executable, executable);
        std::swap(p.map, map);
        guard.unlock();
        map->remove_user();
    }
    if (&p == init_process) {
        log("init ended (status {}, signal {})", p.exit_code,
            static_cast<unsigned>(p.exit_signal_taken));
        power_off();
    }
    leave_terminal(p);

    SpinGuard guard(process_lock);
    while (Process* child = p.children.pop_front()) {
        const bool was_tie = is_tie(p, *child);
        if (child->traced)
            send_signal(*child, {.signal = Signal::Kill});  // nobody is left to resume it
        else if (child->parent_death_signal != Signal::None)
            send_signal(*child, {.signal = child->parent_death_signal,
                                 .cause = SignalCause::User,
                                 .process = p.id,
                                 .user = p.credentials.real_user});
        give_to_reaper(*child);
        if (was_tie)
            release_orphans(*child->group);
    }
    p.state = ProcessState::Zombie;
    p.life_events.notify(kProcessExit);
    if (p.parent && is_tie(*p.parent, p))
        release_orphans(*p.group);
    // From here on p belongs to whoever waits for it.
    me.process = nullptr;
    if (p.descriptor || !parent_does_not_wait(*p.parent)) {
        notify_parent(p);
        return;
    }
    p.parent->child_changed.wake_all();
    unlink(p);
    guard.unlock();
    finish_reaping(p);
}

[[noreturn]] void end_all_threads(std::int32_t status, Signal signal) {
    Process& p = current_process();
    {
        const SpinGuard guard(p.lock);
        begin_exit(p, status, signal);
    }
    exit_user_thread();
}

}  // namespace

Process& reaper_of(const Process& process) {
    for (Process* p = process.parent; p; p = p->parent)
        if (p->child_subreaper && p->state == ProcessState::Alive)
            return *p;
    return *init_process;
}

void begin_exit(Process& p, std::int32_t status, Signal signal) {
    if (p.exiting)
        return;
    p.exiting = true;
    p.exit_code = status;
    p.exit_signal_taken = signal;
    for (Thread& t : p.threads) {
        update_attention(t);
        wake_interruptible(t);
        interrupt_thread(t);
    }
    set_stopped(p, false);
}

void leave_to_reaper(Process& child) {
    List<Process, SiblingTag>::remove(child);
    give_to_reaper(child);
}

void exit_user_thread() {
    Thread& me = current_thread();
    Process& p = *me.process;
    p.personality->release_robust_locks(me);
    me.event_queues.leave();
    if (me.clear_child_tid) {
        (void)copy_out(me.clear_child_tid, std::uint32_t{0});
        (void)futex_wake(me.clear_child_tid, true, 1, ~0u);
    }
    {
        const SpinGuard guard(process_lock);
        set_id_thread(me.id, nullptr);
    }
    if (me.id != p.id)
        free_id(me.id);
    bool last;
    {
        const SpinGuard guard(p.lock);
        List<Thread, ProcessTag>::remove(me);
        p.dead_threads_time += me.cpu_time.total(monotonic_now());
        last = --p.thread_count == 0;
        p.thread_left.wake_all();
        // A signal meant for any thread finds another one.
        if (!p.pending.set().empty())
            for (Thread& t : p.threads) {
                update_attention(t);
                if (t.attention.load(std::memory_order_relaxed)) {
                    wake_interruptible(t);
                    interrupt_thread(t);
                }
            }
        // Once the lock is free the others may end, and with them p.
        if (!last)
            me.process = nullptr;
    }
    if (last)
        end_process(me, p);
    exit_thread();
}

void exit_process(std::int32_t status) {
    end_all_threads(status, Signal::None);
}

void exit_process_by_signal(Signal signal) {
    end_all_threads(0, signal);
}

Result<> become_single_threaded() {
    Thread& me = current_thread();
    Process& p = *me.process;
    SpinGuard guard(p.lock);
    if (p.exiting || p.exec_thread)
        return fail(Errno::Intr);
    if (p.thread_count == 1)
        return {};
    p.exec_thread = &me;
    for (Thread& t : p.threads)
        if (&t != &me) {
            update_attention(t);
            wake_interruptible(t);
            interrupt_thread(t);
        }
    set_stopped(p, false);
    while (p.thread_count > 1)
        (void)p.thread_left.wait(guard, Sleep::Uninterruptible);
    p.exec_thread = nullptr;
    guard.unlock();
    if (me.id == p.id)
        return {};
    // The one that is left is the process: it takes over its number.
    const std::int32_t old = me.id;
    {
        const SpinGuard tree(process_lock);
        set_id_thread(p.id, &me);
        me.id = p.id;
    }
    free_id(old);
    return {};
}

namespace {

bool matches(const Process& child, const WaitOptions& o, const Process& me) {
    switch (o.which) {
        case WaitOptions::Which::Any:
            return !child.descriptor;
        case WaitOptions::Which::Process:
            return child.id == o.id;
        case WaitOptions::Which::Group:
            return !child.descriptor && child.group &&
                   child.group->id == (o.id ? o.id : me.group->id);
    }
    return false;
}

WaitResult result_of(Process& child) {
    WaitResult r{.process = child.id,
                 .status = child.exit_code,
                 .user = child.credentials.real_user,
                 .time = child.dead_threads_time + child.children_time};
    if (child.exit_signal_taken != Signal::None) {
        r.cause = child.dumped ? SignalCause::ChildDumped : SignalCause::ChildKilled;
        r.status = static_cast<std::int32_t>(child.exit_signal_taken);
    }
    return r;
}

}  // namespace

Result<WaitResult> wait_for_child(const WaitOptions& o) {
    Process& me = current_process();
    SpinGuard guard(process_lock);
    for (;;) {
        bool any = false;
        for (Process& child : me.children) {
            if (!matches(child, o, me))
                continue;
            any = true;
            if (child.state == ProcessState::Zombie && o.exited) {
                const WaitResult r = result_of(child);
                if (!o.keep) {
                    me.children_time += r.time;
                    unlink(child);
                    guard.unlock();
                    finish_reaping(child);
                }
                return r;
            }
            if ((o.stopped || child.traced) && child.stopped && child.stop_signal != Signal::None) {
                const WaitResult r{.process = child.id,
                                   .cause = SignalCause::ChildStopped,
                                   .status = static_cast<std::int32_t>(child.stop_signal),
                                   .user = child.credentials.real_user};
                if (!o.keep)
                    child.stop_signal = Signal::None;
                return r;
            }
            if (o.continued && !child.continue_reported && !child.stopped) {
                if (!o.keep)
                    child.continue_reported = true;
                return WaitResult{.process = child.id,
                                  .cause = SignalCause::ChildContinued,
                                  .status = static_cast<std::int32_t>(Signal::Cont),
                                  .user = child.credentials.real_user};
            }
        }
        if (!any)
            return fail(Errno::Child);
        if (o.no_hang)
            return WaitResult{};
        if (!me.child_changed.wait(guard))
            return fail(Errno::Restart);
    }
}

Nanoseconds process_time(Process& p) {
    const SpinGuard guard(p.lock);
    const Nanoseconds now = monotonic_now();
    Nanoseconds time = p.dead_threads_time;
    for (const Thread& t : p.threads)
        time += t.cpu_time.total(now);
    return time;
}

void Process::on_alarm(Timer& timer, void* context) {
    auto& p = *static_cast<Process*>(context);
    send_signal(p, {.signal = Signal::Alrm, .cause = SignalCause::Kernel});
    if (p.alarm_interval)
        timer.arm(next_period(timer.deadline(), p.alarm_interval));
}

}  // namespace skep::kernel
