#include <kernel/event/process_source.hpp>

#include <kernel/proc/process.hpp>

namespace skep::kernel {

Result<ProcessSources> process_sources(std::int32_t id) {
    const SpinGuard guard(process_lock);
    Process* process = id ? find_process(id) : current_thread().process;
    if (!process)
        return fail(Errno::Srch);
    return ProcessSources{Ref<RefCounted>(process), &process->life_events, &process->signal_events,
                          process->state == ProcessState::Zombie};
}

std::uint32_t exit_status_of(RefCounted& object) {
    const Process& process = static_cast<Process&>(object);
    const SpinGuard guard(process_lock);
    if (process.exit_signal_taken != Signal::None)
        return static_cast<std::uint32_t>(process.exit_signal_taken) | (process.dumped ? 0x80 : 0);
    return static_cast<std::uint32_t>(process.exit_code & 0xff) << 8;
}

}  // namespace skep::kernel
