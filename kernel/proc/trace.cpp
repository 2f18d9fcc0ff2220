#include <kernel/proc/trace.hpp>

#include <kernel/proc/signal.hpp>

namespace skep::kernel {

Result<> be_traced() {
    Process& me = current_process();
    const SpinGuard guard(process_lock);
    if (me.traced)
        return fail(Errno::Busy);
    me.traced = true;
    return {};
}

namespace {

// With process_lock held.
Result<Process*> traced_child(ProcessId id) {
    Process* child = find_process(id);
    if (!child || child->state == ProcessState::Zombie)
        return fail(Errno::Srch);
    if (!child->traced || child->parent != &current_process())
        return fail(Errno::Perm);
    return child;
}

Result<> resume(ProcessId id, Signal signal, bool go_on_tracing) {
    const SpinGuard guard(process_lock);
    Process* child = SKEP_TRY(traced_child(id));
    const SpinGuard state(child->lock);
    if (!child->stopped)
        return fail(Errno::Busy);
    child->traced = go_on_tracing;
    child->trace_signal = signal;
    child->stop_signal = Signal::None;
    set_stopped(*child, false);
    return {};
}

}  // namespace

Result<> continue_traced(ProcessId child, Signal signal) {
    return resume(child, signal, true);
}

Result<> stop_tracing(ProcessId child, Signal signal) {
    return resume(child, signal, false);
}

Result<> kill_traced(ProcessId id) {
    const SpinGuard guard(process_lock);
    send_signal(*SKEP_TRY(traced_child(id)), {.signal = Signal::Kill});
    return {};
}

void trace_exec() {
    Process& me = current_process();
    if (me.traced)
        send_signal(current_thread(),
                    {.signal = Signal::Trap, .cause = SignalCause::Trace, .process = me.id});
}

}  // namespace skep::kernel
