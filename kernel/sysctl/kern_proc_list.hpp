// kern.proc.*: lists of processes and threads, chosen by what they have in common. sys/sysctl.h,
// KERN_PROC_*.
#pragma once

#include <kernel/sysctl/node.hpp>

namespace skep::kernel::sysctl {

enum class By : std::int32_t {
    All = 0,
    Process = 1,
    Group = 2,
    Session = 3,
    Terminal = 4,
    User = 5,
    RealUser = 6,
    Processes = 8,
    RealGroup = 10,
    EffectiveGroup = 11
};

// One struct kinfo_proc for each process, or for each thread of them. `rest`: the number to match,
// none for all. Inval; Srch: no such process.
Result<> put_processes(By, bool threads, Numbers rest, Value& out);

// The row of a table.
template <By Which, bool Threads = false>
constexpr Node process_list(std::string_view name) {
    constexpr std::int32_t kIncludeThreads = 0x10;  // KERN_PROC_INC_THREAD
    return {
        .number = static_cast<std::int32_t>(Which) | (Threads ? kIncludeThreads : 0),
        .name = name,
        .type = Type::Opaque,
        .format = "S,proc",
        .read = [](Numbers rest, Value& out) { return put_processes(Which, Threads, rest, out); },
        .open_ended = true};
}

}  // namespace skep::kernel::sysctl
