// The Linux personality's system-call tables, one per topic. A new topic: declare it here, add it
// to kTables in tables.cpp.
#pragma once

#include <kernel/abi/syscall.hpp>

#include <span>

namespace skep::kernel::linux_abi {

extern const std::span<const Syscall> process_calls, identity_calls, thread_calls, futex_calls,
    memory_calls, signal_calls, time_calls, timer_calls, system_calls, file_calls, path_calls,
    attribute_calls, event_calls, socket_calls;

const Syscall* find_syscall(std::uint64_t number);
void init_tables();

}  // namespace skep::kernel::linux_abi
