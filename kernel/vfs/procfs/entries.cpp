// What there is in /proc, and its text (man 5 proc).
#include <kernel/dev/random.hpp>
#include <kernel/mm/physical.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/sched/load.hpp>
#include <kernel/vfs/current.hpp>
#include <kernel/vfs/path.hpp>
#include <kernel/vfs/procfs/proc_vnode.hpp>

#include <algorithm>

namespace skep::kernel {

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kTicksPerSecond = 100;  // USER_HZ, in which Linux programs count
constexpr std::uint64_t kTick = kSecond / kTicksPerSecond;

// --- the machine ---

Result<> meminfo(std::int32_t, TextBuilder& text) {
    const MemoryUse use = memory_use();
    auto line = [&](std::string_view name, std::uint64_t frames) -> Result<> {
        SKEP_TRY(text.append(name));
        SKEP_TRY(text.pad(frames * kPageSize / 1024, 24 - name.size()));
        return text.append(" kB\n");
    };
    SKEP_TRY(line("MemTotal:", use.total_frames));
    SKEP_TRY(line("MemFree:", use.free_frames));
    SKEP_TRY(line("MemAvailable:", use.free_frames));
    for (std::string_view name : {"Buffers:", "Cached:", "SwapCached:", "SwapTotal:", "SwapFree:",
                                  "Shmem:", "SReclaimable:"})
        SKEP_TRY(line(name, 0));
    return {};
}

Result<> cpuinfo(std::int32_t, TextBuilder& text) {
    for (std::uint32_t cpu = 0; cpu < view_cpu_count(); cpu++)
        SKEP_TRY(show_cpu(cpu, text));
    return {};
}

Result<> seconds_text(TextBuilder& text, std::uint64_t nanoseconds) {
    SKEP_TRY(text.format("{}.", nanoseconds / kSecond));
    return text.pad(nanoseconds % kSecond / (kSecond / 100), 2, '0');
}

Result<> uptime(std::int32_t, TextBuilder& text) {
    SKEP_TRY(seconds_text(text, monotonic_now()));
    std::uint64_t idle = 0;
    for (std::uint32_t cpu = 0; cpu < view_cpu_count(); cpu++)
        idle += view_idle_time(cpu);
    SKEP_TRY(text.append(" "));
    SKEP_TRY(seconds_text(text, idle));
    return text.append("\n");
}

Result<> loadavg(std::int32_t, TextBuilder& text) {
    std::uint32_t count = 0;
    std::int32_t last = 0;
    for (std::int32_t process = next_process(0); process; process = next_process(process))
        count++, last = process;
    for (const std::uint32_t average : load_averages()) {
        constexpr std::uint32_t kHalf = kLoadScale / 200;
        const std::uint32_t shown = average + kHalf;
        SKEP_TRY(text.format("{}.", shown / kLoadScale));
        SKEP_TRY(text.pad(std::uint64_t{shown % kLoadScale} * 100 / kLoadScale, 2, '0'));
        SKEP_TRY(text.append(" "));
    }
    return text.format("{}/{} {}\n", runnable_threads(), count, last);
}

Result<> machine_stat(std::int32_t, TextBuilder& text) {
    // Programs and kernel are not told apart: all that is not idle counts as user time.
    const std::uint64_t up = monotonic_now();
    std::uint64_t all_busy = 0, all_idle = 0;
    TextBuilder each;
    for (std::uint32_t cpu = 0; cpu < view_cpu_count(); cpu++) {
        const std::uint64_t idle = std::min(view_idle_time(cpu), up), busy = up - idle;
        all_busy += busy;
        all_idle += idle;
        SKEP_TRY(each.format("cpu{} {} 0 0 {} 0 0 0 0 0 0\n", cpu, busy / kTick, idle / kTick));
    }
    SKEP_TRY(text.format("cpu  {} 0 0 {} 0 0 0 0 0 0\n", all_busy / kTick, all_idle / kTick));
    SKEP_TRY(text.append(each.view()));
    return text.format("btime {}\n", (realtime_now() - static_cast<std::int64_t>(monotonic_now())) /
                                         static_cast<std::int64_t>(kSecond));
}

Result<> version(std::int32_t, TextBuilder& text) {
    return text.append("Linux version 6.1.0-skep (Skep control kernel) #1 SMP\n");
}
Result<> filesystems(std::int32_t, TextBuilder& text) {
    return text.append("nodev\ttmpfs\nnodev\tproc\nnodev\tdevtmpfs\n");
}
Result<> command_line(std::int32_t, TextBuilder& text) {
    return text.append("\n");
}

Result<> mounts_text(std::int32_t, TextBuilder& text) {
    FsContext& context = current_fs();
    for (Ref<FileSystem> each = mounts().next(nullptr); each; each = mounts().next(each.get())) {
        Text path;
        if (Ref<Vnode> covered = each->covered()) {
            auto shown = path_of_directory(context, covered);
            if (!shown)
                continue;
            path = std::move(*shown);
        } else {
            path = SKEP_TRY(Text::copy("/"));
        }
        for (std::string_view part :
             {each->source(), std::string_view(" "), path.view(), std::string_view(" ")})
            SKEP_TRY(text.append(part));
        SKEP_TRY(text.format("{} rw 0 0\n", each->type()));
    }
    return {};
}

// --- sys ---

Result<> ostype(std::int32_t, TextBuilder& text) {
    return text.append("Linux\n");
}
Result<> osrelease(std::int32_t, TextBuilder& text) {
    return text.append("6.1.0-skep\n");
}
Result<> pid_max(std::int32_t, TextBuilder& text) {
    return text.append("32768\n");
}
Result<> zero(std::int32_t, TextBuilder& text) {
    return text.append("0\n");
}
Result<> somaxconn(std::int32_t, TextBuilder& text) {
    return text.append("4096\n");
}
Result<> cap_last_cap(std::int32_t, TextBuilder& text) {
    return text.append("40\n");
}
Result<> nr_open(std::int32_t, TextBuilder& text) {
    return text.format("{}\n", DescriptorTable::kMax);
}
Result<> max_map_count(std::int32_t, TextBuilder& text) {
    return text.append("65530\n");
}

Result<> uuid(std::int32_t, TextBuilder& text) {  // RFC 4122, version 4
    std::array<std::uint8_t, 16> bytes;
    fill_random(bytes.data(), bytes.size());
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    for (std::size_t i = 0; i < bytes.size(); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            SKEP_TRY(text.append("-"));
        SKEP_TRY(text.pad(bytes[i], 2, '0', true));
    }
    return text.append("\n");
}

Result<> boot_id(std::int32_t process, TextBuilder& text) {
    static Mutex lock{"boot_id"};
    static std::array<char, 40> made{};
    static std::size_t size = 0;
    MutexGuard guard(lock);
    if (!size) {
        TextBuilder fresh;
        SKEP_TRY(uuid(process, fresh));
        size = fresh.view().copy(made.data(), made.size());
    }
    return text.append({made.data(), size});
}

constexpr ProcEntry kRandom[] = {{.name = "boot_id", .text = boot_id},
                                 {.name = "uuid", .text = uuid}};
constexpr ProcEntry kKernel[] = {
    {.name = "ostype", .text = ostype},
    {.name = "osrelease", .text = osrelease},
    {.name = "pid_max", .text = pid_max},
    {.name = "cap_last_cap", .text = cap_last_cap},
    {.name = "random", .type = VnodeType::Directory, .entries = kRandom},
};
constexpr ProcEntry kVm[] = {{.name = "overcommit_memory", .text = zero},
                             {.name = "max_map_count", .text = max_map_count}};
constexpr ProcEntry kFs[] = {{.name = "nr_open", .text = nr_open},
                             {.name = "file-max", .text = nr_open}};
constexpr ProcEntry kCore[] = {{.name = "somaxconn", .text = somaxconn}};
constexpr ProcEntry kNet[] = {{.name = "core", .type = VnodeType::Directory, .entries = kCore}};
constexpr ProcEntry kSys[] = {
    {.name = "kernel", .type = VnodeType::Directory, .entries = kKernel},
    {.name = "vm", .type = VnodeType::Directory, .entries = kVm},
    {.name = "fs", .type = VnodeType::Directory, .entries = kFs},
    {.name = "net", .type = VnodeType::Directory, .entries = kNet},
};

// --- processes ---

Result<> stat_text(std::int32_t process, TextBuilder& text) {
    const ProcessView v = SKEP_TRY(view_process(process));
    SKEP_TRY(text.format("{} ({}) ", v.process, v.name()));
    SKEP_TRY(text.append({&v.state, 1}));
    // tty_nr tpgid flags minflt cminflt majflt cmajflt; utime stime cutime cstime priority nice
    // threads itrealvalue start
    constexpr int kPriorityOfNice0 = 20;
    SKEP_TRY(text.format(" {} {} {} 0 -1 0 0 0 0 0 ", v.parent, v.group, v.session));
    SKEP_TRY(text.format("{} 0 0 0 {} {} {} 0 {} ", v.run_time / kTick, kPriorityOfNice0 + v.nice,
                         v.nice, v.threads, v.started / kTick));
    SKEP_TRY(text.format("{} {} 18446744073709551615", v.mapped_bytes, v.resident_pages));
    return text.append(" 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
}

Result<> statm(std::int32_t process, TextBuilder& text) {
    const ProcessView v = SKEP_TRY(view_process(process));
    return text.format("{} {} 0 0 0 {} 0\n", v.mapped_bytes / kPageSize, v.resident_pages,
                       v.mapped_bytes / kPageSize);
}

std::string_view state_name(char state) {
    switch (state) {
        case 'R':
            return "R (running)";
        case 'Z':
            return "Z (zombie)";
        case 'T':
            return "T (stopped)";
        default:
            return "S (sleeping)";
    }
}

Result<> status(std::int32_t process, TextBuilder& text) {
    const ProcessView v = SKEP_TRY(view_process(process));
    SKEP_TRY(text.format("Name:\t{}\nUmask:\t0022\nState:\t{}\n", v.name(), state_name(v.state)));
    SKEP_TRY(text.format("Tgid:\t{}\nNgid:\t0\nPid:\t{}\nPPid:\t{}\nTracerPid:\t0\n", v.process,
                         v.process, v.parent));
    SKEP_TRY(text.format("Uid:\t{}\t{}\t{}\t{}\n", v.real_user, v.effective_user, v.effective_user,
                         v.effective_user));
    SKEP_TRY(text.format("Gid:\t{}\t{}\t{}\t{}\n", v.real_group, v.effective_group,
                         v.effective_group, v.effective_group));
    SKEP_TRY(text.format("VmPeak:\t{} kB\nVmSize:\t{} kB\n", v.mapped_bytes / 1024,
                         v.mapped_bytes / 1024));
    SKEP_TRY(
        text.format("VmHWM:\t{} kB\nVmRSS:\t{} kB\n", v.resident_pages * 4, v.resident_pages * 4));
    return text.format("Threads:\t{}\n", v.threads);
}

Result<> comm(std::int32_t process, TextBuilder& text) {
    const ProcessView v = SKEP_TRY(view_process(process));
    return text.format("{}\n", v.name());
}

Result<> append_path(TextBuilder& text, Result<Ref<Vnode>> directory) {
    const Text path = SKEP_TRY(path_of_directory(current_fs(), SKEP_TRY(std::move(directory))));
    return text.append(path.view());
}

Result<Ref<Vnode>> working_directory(std::int32_t process) {
    return SKEP_TRY(fs_of(process))->working_directory();
}
Result<Ref<Vnode>> root_directory(std::int32_t process) {
    return SKEP_TRY(fs_of(process))->root();
}
Result<> cwd_text(std::int32_t process, TextBuilder& text) {
    return append_path(text, working_directory(process));
}
Result<> root_text(std::int32_t process, TextBuilder& text) {
    return append_path(text, root_directory(process));
}

Result<> exe_text(std::int32_t process, TextBuilder& text) {
    Ref<Vnode> vnode = SKEP_TRY(executable_of(process));
    auto name = vnode->any_name();
    if (!name)
        return text.append("(deleted)");
    const Text path = SKEP_TRY(path_of(current_fs(), name->directory, name->name.view()));
    return text.append(path.view());
}

Result<> self_text(std::int32_t, TextBuilder& text) {
    return text.format("{}", current_process_id());
}
Result<> thread_self_text(std::int32_t, TextBuilder& text) {
    return text.format("{}", current_process_id());
}
Result<> self_mounts_text(std::int32_t, TextBuilder& text) {
    return text.append("self/mounts");
}

constexpr ProcEntry kProcess[] = {
    {.name = "auxv", .text = show_auxiliary_vector},
    {.name = "cmdline", .text = show_arguments},
    {.name = "comm", .text = comm},
    {.name = "cwd", .type = VnodeType::Symlink, .text = cwd_text, .follow = working_directory},
    {.name = "environ", .text = show_environment},
    {.name = "exe", .type = VnodeType::Symlink, .text = exe_text, .follow = executable_of},
    {.name = "fd", .type = VnodeType::Directory, .descriptors = true},
    {.name = "maps", .text = show_maps},
    {.name = "mounts", .text = mounts_text},
    {.name = "root", .type = VnodeType::Symlink, .text = root_text, .follow = root_directory},
    {.name = "stat", .text = stat_text},
    {.name = "statm", .text = statm},
    {.name = "status", .text = status},
};

constexpr ProcEntry kRoot[] = {
    {.name = "cmdline", .text = command_line},
    {.name = "cpuinfo", .text = cpuinfo},
    {.name = "filesystems", .text = filesystems},
    {.name = "hv", .text = show_hypervisor},
    {.name = "loadavg", .text = loadavg},
    {.name = "meminfo", .text = meminfo},
    {.name = "mounts", .type = VnodeType::Symlink, .text = self_mounts_text},
    {.name = "self", .type = VnodeType::Symlink, .text = self_text},
    {.name = "stat", .text = machine_stat},
    {.name = "sys", .type = VnodeType::Directory, .entries = kSys},
    {.name = "thread-self", .type = VnodeType::Symlink, .text = thread_self_text},
    {.name = "uptime", .text = uptime},
    {.name = "version", .text = version},
};

}  // namespace

constinit const ProcEntry kProcRoot{.name = "", .type = VnodeType::Directory, .entries = kRoot};
constinit const ProcEntry kProcProcess{
    .name = "", .type = VnodeType::Directory, .entries = kProcess};

}  // namespace skep::kernel
