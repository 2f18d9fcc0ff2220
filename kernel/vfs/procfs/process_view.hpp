// What /proc shows of processes and of the machine. process_view.cpp has it from kernel/proc and
// kernel/mm.
#pragma once

#include <kernel/vfs/descriptor_table.hpp>
#include <kernel/vfs/fs_context.hpp>
#include <kernel/vfs/procfs/text_builder.hpp>

namespace skep::kernel {

struct ProcessView {
    std::int32_t process = 0, parent = 0, group = 0, session = 0;
    char state = 'S';  // R, S, Z, T as ps shows them
    std::array<char, 16> command{};
    std::uint32_t real_user = 0, effective_user = 0, real_group = 0, effective_group = 0;
    std::uint32_t threads = 0;
    int nice = 0;
    std::uint64_t started = 0, run_time = 0;  // nanoseconds; started: of the monotonic clock
    std::uint64_t mapped_bytes = 0, resident_pages = 0;
    std::string_view name() const {
        return {command.data(), strnlen(command.data(), command.size())};
    }
};

// Srch: there is no such process.
Result<ProcessView> view_process(std::int32_t process);
std::int32_t next_process(std::int32_t after);  // by number; 0: none
Result<> show_arguments(std::int32_t process, TextBuilder&);
Result<> show_maps(std::int32_t process, TextBuilder&);
// Acces: not the caller's to see.
Result<> show_environment(std::int32_t process, TextBuilder&);
Result<> show_auxiliary_vector(std::int32_t process, TextBuilder&);
Result<Ref<Vnode>> executable_of(std::int32_t process);
Result<Ref<DescriptorTable>> descriptors_of(std::int32_t process);
Result<Ref<FsContext>> fs_of(std::int32_t process);
std::uint32_t view_cpu_count();
std::uint64_t view_idle_time(std::uint32_t cpu);  // nanoseconds since boot
Result<> show_cpu(std::uint32_t cpu, TextBuilder&);
// A name and a value on each line; "hypervisor none" where there is none.
Result<> show_hypervisor(std::int32_t, TextBuilder&);

}  // namespace skep::kernel
