// System-call tables are data: dispatch and docs/compat are generated from them. A personality's
// table is the union of topic files (process, memory, signal, time, file, event, socket), each of
// which exports one std::span of entries.
#pragma once

#include <kernel/base/errno.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace skep::kernel {

enum class SyscallStatus : std::uint8_t {
    Full,     // as documented, for every argument
    Partial,  // common uses; `note` says what is missing
    Ignored,  // succeeds and does nothing, harmlessly; `note` says why
};

// Arguments as the program passed them. Runs on the calling thread, interrupts on, no locks held.
// Errno::Restart: interrupted before anything was done; restarted unless a handler says otherwise.
using SyscallHandler = Result<std::uint64_t> (*)(const std::uint64_t* arguments);

struct Syscall {
    std::uint16_t number;
    std::string_view name;
    std::uint8_t argument_count;
    SyscallHandler handler;
    SyscallStatus status = SyscallStatus::Full;
    std::string_view note = {};
};

}  // namespace skep::kernel
