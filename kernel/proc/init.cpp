#include <kernel/proc/init.hpp>

#include <kernel/abi/personality.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/base/log.hpp>
#include <kernel/base/make.hpp>
#include <kernel/boot/multiboot2.hpp>
#include <kernel/proc/exec.hpp>
#include <kernel/proc/ids.hpp>
#include <kernel/proc/signal.hpp>
#include <kernel/proc/user_entry.hpp>
#include <kernel/vfs/current.hpp>
#include <kernel/vfs/file_system.hpp>

#include <cstring>

namespace skep::kernel {

extern "C" [[noreturn]] void enter_user_mode(TrapFrame* frame);

namespace {

constexpr std::string_view kDefaultInit = "/sbin/init";
constexpr std::uint64_t kStackLimit = 8 << 20, kOpenFilesLimit = 1024, kOpenFilesMaximum = 65536;

template <typename T>
T must(Result<T> result, const char* what) {
    if (!result)
        panic("init: {}: error {}", what, static_cast<unsigned>(result.error()));
    if constexpr (!std::is_void_v<T>)
        return std::move(*result);
}

void open_console(Process& process) {
    const Ref<Vnode> root = process.fs->root();
    auto console =
        open_file({*process.fs, {}}, {root, "/dev/console"}, {.flags = kOpenRead | kOpenWrite});
    if (!console) {
        log("init: no /dev/console: error {}", static_cast<unsigned>(console.error()));
        return;
    }
    for (std::uint32_t i = 0; i < 3; i++)
        (void)must(process.descriptors->add(*console, false, 3), "descriptors");
}

void run_init(void*) {
    Process& process = current_process();
    open_console(process);
    const std::string_view wanted = boot_information.option("init");
    const std::string_view path = wanted.empty() ? kDefaultInit : wanted;
    StringList arguments, environment;
    must(arguments.add(path), "arguments");
    must(environment.add("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), "environment");
    must(environment.add("HOME=/"), "environment");
    must(environment.add("TERM=vt100"), "environment");
    const Ref<Vnode> start = process.fs->root();
    if (auto started = execute({*process.fs, {}}, {start, path}, arguments, environment); !started)
        panic("cannot start {}: error {}", path, static_cast<unsigned>(started.error()));
    disable_interrupts();
    Thread& me = current_thread();
    finish_user_entry(me.user_frame());
    enter_user_mode(&me.user_frame());
}

}  // namespace

void start_init() {
    Ref<Process> process = must(make_ref<Process>(), "process");
    process->personality = &linux_personality;
    const Ref<Vnode> root = mounts().root();
    process->fs = must(make_ref<FsContext>(root, root), "file system context");
    process->descriptors = must(make_ref<DescriptorTable>(), "descriptors");
    process->limits[static_cast<std::size_t>(Limit::Stack)].current = kStackLimit;
    process->limits[static_cast<std::size_t>(Limit::OpenFiles)] = {kOpenFilesLimit,
                                                                   kOpenFilesMaximum};
    process->limits[static_cast<std::size_t>(Limit::Core)].current = 0;
    std::strcpy(process->command, "init");
    process->started = monotonic_now();

    Thread* thread = must(create_thread("init", run_init, nullptr), "thread");
    thread->fpu = allocate_fpu();
    if (!thread->fpu)
        panic("no memory for init");
    thread->process = process.get();
    process->id = thread->id = must(allocate_id(), "id");
    process->threads.push_back(*thread);
    process->thread_count = 1;
    init_process = process.get();
    {
        auto session = must(make_ref<Session>(process->id), "session");
        auto group = must(make_ref<ProcessGroup>(process->id, session), "group");
        const SpinGuard guard(process_lock);
        found_group(*process, std::move(group));
        all_processes.push_back(*process);
        set_id_owner(process->id, {process.get(), thread});
    }
    process.leak();
    start_thread(*thread);
}

}  // namespace skep::kernel
