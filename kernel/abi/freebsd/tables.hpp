// The FreeBSD personality's system-call tables, one per topic. A new topic: declare it here, add it
// to kTables in tables.cpp.
#pragma once

#include <kernel/abi/syscall.hpp>

#include <span>

namespace skep::kernel::freebsd_abi {

using Arguments = const std::uint64_t*;
using Returns = Result<std::uint64_t>;

// Of calls that return 0.
inline Returns done(const Result<>& result) {
    if (!result)
        return fail(result.error());
    return 0;
}

extern const std::span<const Syscall> process_calls, process_control_calls, identity_calls,
    thread_calls, memory_calls, signal_calls, time_calls, timer_calls, system_calls, file_calls,
    path_calls, old_path_calls, mount_calls, shared_memory_calls, event_calls, socket_calls,
    sysv_calls;

const Syscall* find_syscall(std::uint64_t number);
// At boot. A number that is out of range or listed twice stops the kernel.
void init_tables();

}  // namespace skep::kernel::freebsd_abi
