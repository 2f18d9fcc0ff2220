// Birth of processes and threads.
#include <kernel/abi/personality.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/base/make.hpp>
#include <kernel/event/process_source.hpp>
#include <kernel/proc/ids.hpp>
#include <kernel/proc/nice.hpp>
#include <kernel/proc/process.hpp>
#include <kernel/proc/process_descriptor.hpp>
#include <kernel/proc/signal.hpp>
#include <kernel/proc/user_entry.hpp>

#include <cstring>

namespace skep::kernel {

extern "C" [[noreturn]] void enter_user_mode(TrapFrame* frame);

namespace {

// The first kernel code of a program's new thread.
void begin_user_thread(void*) {
    Thread& me = current_thread();
    if (me.store_id_at_start)
        (void)copy_out(me.store_id_at_start, me.id);
    disable_interrupts();
    finish_user_entry(me.user_frame());
    enter_user_mode(&me.user_frame());
}

// A thread that is the caller's double but for what `start` says.
Result<Thread*> make_user_thread(const ThreadStart& start) {
    Thread& me = current_thread();
    Thread* thread = SKEP_TRY(create_thread("", begin_user_thread, nullptr));
    thread->fpu = allocate_fpu();
    if (!thread->fpu) {
        destroy_unstarted_thread(thread);
        return fail(Errno::NoMem);
    }
    {
        const InterruptsOff off;
        save_fpu(*me.fpu);
        copy_fpu(*thread->fpu, *me.fpu);
    }
    thread->user_frame() = start.frame;
    thread->user_frame().use_iret();
    save_user_bases(me);
    thread->fs_base = start.set_tls ? start.tls : me.fs_base;
    thread->gs_base = me.gs_base;
    thread->affinity = me.affinity;
    inherit_nice(*thread, me);
    thread->clear_child_tid = start.clear_id_at_exit;
    thread->store_id_at_start = start.store_id_child;
    std::memcpy(thread->command, me.command, sizeof thread->command);
    return thread;
}

}  // namespace

Result<std::int32_t> create_user_thread(const ThreadStart& start) {
    Thread& me = current_thread();
    Process& process = *me.process;
    Thread* thread = SKEP_TRY(make_user_thread(start));
    thread->process = &process;
    const auto id = allocate_id();
    if (!id) {
        destroy_unstarted_thread(thread);
        return id;
    }
    thread->id = *id;
    if (start.store_id_parent)
        (void)copy_out(start.store_id_parent, *id);
    bool ended;
    {
        const SpinGuard tree(process_lock);
        const SpinGuard guard(process.lock);
        thread->signals.mask = me.signals.mask;
        ended = process.exiting || process.exec_thread;
        if (!ended) {
            process.threads.push_back(*thread);
            process.thread_count++;
            update_attention(*thread);
            set_id_owner(*id, {&process, thread});
        }
    }
    if (ended) {
        free_id(*id);
        destroy_unstarted_thread(thread);
        return fail(Errno::Again);
    }
    start_thread(*thread);
    return *id;
}

namespace {

Result<> copy_process(Process& parent, Process& child, const ForkOptions& options) {
    child.personality = parent.personality;
    child.executable = parent.executable;
    child.no_new_privileges = parent.no_new_privileges;
    child.memory_policy = parent.memory_policy;
    std::memcpy(child.command, parent.command, sizeof child.command);
    SKEP_TRY(child.arguments.resize(parent.arguments.size()));
    if (!parent.arguments.empty())
        std::memcpy(child.arguments.data(), parent.arguments.data(), parent.arguments.size());
    {
        const SpinGuard guard(parent.lock);
        child.actions = parent.actions;
        child.credentials = parent.credentials;
        child.limits = parent.limits;
    }
    if (options.clear_handlers)
        for (SignalAction& action : child.actions)
            if (action.handler != kSignalIgnore)
                action = {};
    child.parent_signal = options.exit_signal;
    child.started = monotonic_now();
    child.descriptors =
        options.share_files ? parent.descriptors : SKEP_TRY(parent.descriptors->copy());
    if (options.descriptor)
        SKEP_TRY(child.descriptors->close(options.descriptor_number));
    child.fs = options.share_fs ? parent.fs : SKEP_TRY(parent.fs->copy());
    child.map = options.share_memory ? parent.map : SKEP_TRY(parent.map->fork());
    child.map->add_user();
    return {};
}

}  // namespace

Result<ProcessId> fork_process(const ForkOptions& options, const ThreadStart& start) {
    Thread& me = current_thread();
    Process& parent = *me.process;
    Ref<Process> child = SKEP_TRY(make_ref<Process>());
    Thread* thread = SKEP_TRY(make_user_thread(start));
    auto undo = [&](Errno error) {
        destroy_unstarted_thread(thread);
        if (child->map)
            child->map->remove_user();
        return fail(error);
    };
    if (auto copied = copy_process(parent, *child, options); !copied)
        return undo(copied.error());
    const auto id = allocate_id();
    if (!id)
        return undo(id.error());
    child->id = thread->id = *id;
    child->vfork_done = !options.wait_for_exec;
    thread->process = child.get();
    thread->signals.mask = me.signals.mask;
    if (!options.share_memory || options.wait_for_exec)
        thread->signals.stack = me.signals.stack;
    if (start.store_id_parent)
        (void)copy_out(start.store_id_parent, *id);
    child->threads.push_back(*thread);
    child->thread_count = 1;
    bool interrupted;
    {
        const SpinGuard guard(process_lock);
        // A signal that the group got meanwhile is for the child too, which was not in it yet: the
        // call begins anew after it.
        interrupted = must_end(me) || signal_has_come(me);
        if (!interrupted) {
            if (options.descriptor)
                options.descriptor->bind(*child);
            Process* of = options.parent_of_caller && parent.parent ? parent.parent : &parent;
            child->parent = of;
            of->children.push_back(*child);
            join_group_of(*child, parent);
            all_processes.push_back(*child);
            set_id_owner(*id, {child.get(), thread});
        }
    }
    if (interrupted) {
        List<Thread, ProcessTag>::remove(*thread);
        free_id(*id);
        return undo(Errno::RestartAlways);
    }
    Ref<Process>(child).leak();  // the tree's reference, which wait4 drops
    start_thread(*thread);
    if (options.wait_for_exec) {
        SpinGuard guard(child->lock);
        // Other signals than the last wait for the child. They would end an interruptible sleep at
        // once, again and again.
        constexpr Nanoseconds kLook = 10'000'000;
        while (!child->vfork_done && !must_end(me))
            if (!child->vfork_left.wait(guard))
                (void)child->vfork_left.wait(guard, Sleep::Uninterruptible,
                                             monotonic_now() + kLook);
    }
    parent.life_events.notify(kProcessFork);
    return *id;
}

void release_vfork_parent(Process& process) {
    const SpinGuard guard(process.lock);
    process.vfork_done = true;
    process.vfork_left.wake_all();
}

}  // namespace skep::kernel
