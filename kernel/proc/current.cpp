// The calling process as other parts of the kernel see it: kernel/sched/thread.hpp,
// kernel/vfs/current.hpp, kernel/dev/tty/job_control.hpp.
#include <kernel/vfs/current.hpp>

#include <kernel/dev/tty/job_control.hpp>
#include <kernel/dev/tty/tty.hpp>
#include <kernel/proc/signal.hpp>

namespace skep::kernel {

Process& current_process() {
    return *current_thread().process;
}

Caller current_caller() {
    const Credentials& c = current_process().credentials;
    return {c.effective_user, c.effective_group, std::span(c.groups).first(c.group_count)};
}

FsContext& current_fs() {
    return *current_process().fs;
}
DescriptorTable& current_descriptors() {
    return *current_process().descriptors;
}
std::uint32_t current_descriptor_limit() {
    return static_cast<std::uint32_t>(
        std::min<std::uint64_t>(current_process().limit(Limit::OpenFiles), DescriptorTable::kMax));
}
std::int32_t current_process_id() {
    return current_process().id;
}
void raise_pipe_signal() {
    send_signal(current_thread(), {.signal = Signal::Pipe, .process = current_process_id()});
}

// --- job control ---

namespace {

Signal signal_of(JobSignal signal) {
    switch (signal) {
        case JobSignal::Hangup:
            return Signal::Hup;
        case JobSignal::Interrupt:
            return Signal::Int;
        case JobSignal::Quit:
            return Signal::Quit;
        case JobSignal::Suspend:
            return Signal::Tstp;
        case JobSignal::Continue:
            return Signal::Cont;
        case JobSignal::BackgroundRead:
            return Signal::Ttin;
        case JobSignal::BackgroundWrite:
            return Signal::Ttou;
        case JobSignal::WindowChange:
            return Signal::Winch;
    }
    return Signal::None;
}

}  // namespace

Job current_job() {
    Process* me = current_thread().process;
    if (!me)
        return {};
    const SpinGuard guard(process_lock);
    return {me->id, me->group->id, me->group->session->id};
}

void signal_group(std::int32_t group, JobSignal signal) {
    send_signal_to_group(group, {.signal = signal_of(signal)});
}

bool current_ignores(JobSignal signal) {
    return ignores_or_blocks(signal_of(signal));
}

bool current_group_orphaned() {
    const SpinGuard guard(process_lock);
    return is_orphaned_group(*current_process().group);
}

std::int32_t session_of_group(std::int32_t group) {
    const SpinGuard guard(process_lock);
    const ProcessGroup* found = find_group(group);
    return found ? found->session->id : 0;
}

void leave_terminal(Process& process) {
    bool leader;
    {
        const SpinGuard guard(process_lock);
        leader = process.group && process.group->session->id == process.id;
    }
    if (leader)
        Tty::session_ended(process.id);
}

}  // namespace skep::kernel
