// What a FreeBSD program may do with its memory: W^X (kern.elf64.allow_wx, procctl(2)'s
// PROC_WXMAP_*), and how its mappings may change later (PROT_MAX, PROC_PROTMAX_*).
#pragma once

#include <kernel/base/errno.hpp>

#include <atomic>
#include <cstdint>

namespace skep::kernel {
class Process;
class VmMap;
struct ElfImage;
}  // namespace skep::kernel

namespace skep::kernel::freebsd_abi {

// kern.elf64.allow_wx: of programs that are started from now on.
extern std::atomic<bool> allow_write_execute;

// Of the calling process's new program. Acces: its segments are against it.
Result<> apply_memory_policy(VmMap& map, const ElfImage& image);

// The maximal protection of a mapping of the calling process that names none.
std::uint32_t implied_maximum(std::uint32_t protection);

// procctl's numbers. Inval.
Result<> control_write_execute(Process&, std::int32_t value);
std::int32_t write_execute_status(Process&);
Result<> control_maximum(Process&, std::int32_t value);
std::int32_t maximum_status(Process&);

}  // namespace skep::kernel::freebsd_abi
