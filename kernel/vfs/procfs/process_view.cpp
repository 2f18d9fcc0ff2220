#include <kernel/arch/x86_64/hv_counters.hpp>
#include <kernel/vfs/procfs/process_view.hpp>

#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/proc/process.hpp>
#include <kernel/proc/start_record.hpp>
#include <kernel/vfs/current.hpp>
#include <kernel/vfs/path.hpp>

#include <algorithm>

namespace skep::kernel {

namespace {

Result<Ref<Process>> find(std::int32_t process) {
    SpinGuard guard(process_lock);
    Process* found = find_process(process);
    if (!found)
        return fail(Errno::Srch);
    return Ref<Process>(found);
}

char state_of(const Process& process) {
    if (process.state == ProcessState::Zombie)
        return 'Z';
    return process.stopped ? 'T' : &process == current_thread().process ? 'R' : 'S';
}

}  // namespace

Result<ProcessView> view_process(std::int32_t id) {
    Ref<Process> process = SKEP_TRY(find(id));
    ProcessView view;
    Ref<VmMap> map;
    {
        SpinGuard guard(process_lock);
        view.process = process->id;
        view.parent = process->parent ? process->parent->id : 0;
        if (process->group) {
            view.group = process->group->id;
            view.session = process->group->session->id;
        }
        view.state = state_of(*process);
        if (process->state == ProcessState::Alive)
            map = process->map;
    }
    {
        SpinGuard guard(process->lock);
        std::copy_n(process->command, view.command.size(), view.command.begin());
        view.real_user = process->credentials.real_user;
        view.effective_user = process->credentials.effective_user;
        view.real_group = process->credentials.real_group;
        view.effective_group = process->credentials.effective_group;
        view.threads = process->thread_count;
        if (!process->threads.empty())
            view.nice = process->threads.front()->nice;
    }
    view.started = process->started;
    view.run_time = process_time(*process);
    if (map) {
        view.mapped_bytes = map->mapped_bytes();
        view.resident_pages = map->resident_pages();
    }
    return view;
}

std::int32_t next_process(std::int32_t after) {
    SpinGuard guard(process_lock);
    std::int32_t next = 0;
    for (Process& process : all_processes)
        if (process.id > after && (!next || process.id < next))
            next = process.id;
    return next;
}

Result<> show_arguments(std::int32_t id, TextBuilder& text) {
    Ref<Process> process = SKEP_TRY(find(id));
    Vector<char> copy;
    SKEP_TRY(copy.resize(kPathMax));
    std::size_t size;
    {
        SpinGuard guard(process->lock);
        size = std::min(copy.size(), process->arguments.size());
        std::copy_n(process->arguments.data(), size, copy.data());
    }
    return text.append({copy.data(), size});
}

namespace {

Ref<VmMap> map_of(Process& process) {
    SpinGuard guard(process_lock);
    return process.state == ProcessState::Alive ? process.map : Ref<VmMap>();
}

Result<Ref<VmMap>> inspected_map(std::int32_t id) {
    Ref<Process> process = SKEP_TRY(find(id));
    if (!may_inspect(*process))
        return fail(Errno::Acces);
    return map_of(*process);
}

}  // namespace

Result<> show_maps(std::int32_t id, TextBuilder& text) {
    const Ref<VmMap> map = map_of(*SKEP_TRY(find(id)));
    if (!map)
        return {};
    Result<> result;
    map->for_each_entry([&](const MapEntry& entry) {
        const char rights[] = {
            entry.protection & kProtRead ? 'r' : '-', entry.protection & kProtWrite ? 'w' : '-',
            entry.protection & kProtExecute ? 'x' : '-', entry.shared ? 's' : 'p'};
        auto line = [&]() -> Result<> {
            SKEP_TRY(text.pad(entry.start, 8, '0', true));
            SKEP_TRY(text.append("-"));
            SKEP_TRY(text.pad(entry.end, 8, '0', true));
            SKEP_TRY(text.append(" "));
            SKEP_TRY(text.append({rights, sizeof rights}));
            SKEP_TRY(text.append(" "));
            SKEP_TRY(text.pad(entry.offset, 8, '0', true));
            return text.append(" 00:00 0 \n");
        };
        if (result)
            result = line();
    });
    return result;
}

Result<> show_environment(std::int32_t id, TextBuilder& text) {
    const Ref<VmMap> map = SKEP_TRY(inspected_map(id));
    if (!map)
        return {};
    const Vector<char> strings = SKEP_TRY(read_environment(*map));
    return text.append({strings.data(), strings.size()});
}

Result<> show_auxiliary_vector(std::int32_t id, TextBuilder& text) {
    const Ref<VmMap> map = SKEP_TRY(inspected_map(id));
    if (!map)
        return {};
    const Vector<std::uint64_t> words = SKEP_TRY(read_auxiliary_vector(*map));
    return text.append(
        {reinterpret_cast<const char*>(words.data()), words.size() * sizeof(std::uint64_t)});
}

Result<Ref<Vnode>> executable_of(std::int32_t id) {
    Ref<Process> process = SKEP_TRY(find(id));
    SpinGuard guard(process_lock);
    if (process->state != ProcessState::Alive || !process->executable)
        return fail(Errno::NoEnt);
    return process->executable;
}

Result<Ref<DescriptorTable>> descriptors_of(std::int32_t id) {
    Ref<Process> process = SKEP_TRY(find(id));
    SpinGuard guard(process_lock);
    if (process->state != ProcessState::Alive || !process->descriptors)
        return fail(Errno::Srch);
    return process->descriptors;
}

Result<Ref<FsContext>> fs_of(std::int32_t id) {
    Ref<Process> process = SKEP_TRY(find(id));
    SpinGuard guard(process_lock);
    if (process->state != ProcessState::Alive || !process->fs)
        return fail(Errno::Srch);
    return process->fs;
}

std::uint32_t view_cpu_count() {
    return cpu_count;
}

std::uint64_t view_idle_time(std::uint32_t number) {
    const Thread* idle = cpus[number]->idle;
    if (!idle)
        return 0;
    return idle->cpu_time.total(monotonic_now());
}

Result<> show_hypervisor(std::int32_t, TextBuilder& text) {
    const auto counters = hv_counters();
    if (!counters)
        return counters.error() == Errno::NoEnt ? text.append("hypervisor none\n")
                                                : fail(counters.error());
    const abi::HostInfo& host = host_info();
    SKEP_TRY(text.format("hypervisor {}\nmemory {}\n", static_cast<const char*>(host.name),
                         host.hv_size));
    for (const HvCounter& counter : kHvCounters)
        SKEP_TRY(text.format("{} {}\n", counter.name, (*counters).*counter.value));
    for (std::size_t reason = 0; reason < kHvExitNames.size(); reason++)
        SKEP_TRY(text.format("guest_exits.{} {}\n", kHvExitNames[reason],
                             counters->guest_exits[reason]));
    return {};
}

Result<> show_cpu(std::uint32_t cpu, TextBuilder& text) {
    // SDM volume 2A, CPUID: leaf 0 names the vendor, leaves 0x80000002..4 the model.
    auto leaf = [](std::uint32_t number) {
        std::array<std::uint32_t, 4> r{};
        asm volatile("cpuid"
                     : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
                     : "a"(number), "c"(0));
        return r;
    };
    const auto vendor = leaf(0);
    const std::uint32_t name[] = {vendor[1], vendor[3], vendor[2]};
    std::array<char, 48> model{};
    for (std::uint32_t i = 0; i < 3; i++) {
        const auto part = leaf(0x80000002 + i);
        std::memcpy(model.data() + i * 16, part.data(), 16);
    }
    SKEP_TRY(text.format("processor\t: {}\nvendor_id\t: {}\n", cpu,
                         std::string_view(reinterpret_cast<const char*>(name), sizeof name)));
    SKEP_TRY(text.format("model name\t: {}\n",
                         std::string_view(model.data(), strnlen(model.data(), model.size()))));
    return text.format("cpu MHz\t\t: {}.000\ncpu cores\t: {}\n\n", tsc_frequency() / 1'000'000,
                       cpu_count);
}

}  // namespace skep::kernel
