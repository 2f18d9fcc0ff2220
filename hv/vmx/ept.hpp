// The format of EPT entries (SDM vol. 3, 29.3.2) and of the EPT pointer (25.6.11).
#pragma once

#include "hv/memory/table_format.hpp"
#include "hv/vmx/capability.hpp"

namespace skep::hv::vmx {

namespace ept {
inline constexpr u64 kRead = 1 << 0, kWrite = 1 << 1, kExecute = 1 << 2, kAccessed = 1 << 8,
                     kDirty = 1 << 9;
inline constexpr u8 kMemoryTypeShift = 3;
}  // namespace ept

constexpr TableFormat make_ept_format(bool large_1g, bool dirty_flags, bool write_log) {
    return {
        .readable = ept::kRead,
        .writable = ept::kWrite,
        .executable = ept::kExecute,
        .not_executable = 0,
        .leaf = ept::kAccessed | ept::kDirty,  // ignored by a CPU that does not keep them
        .table = ept::kRead | ept::kWrite | ept::kExecute | ept::kAccessed,
        .present = ept::kRead | ept::kWrite | ept::kExecute,
        .memory_type_shift = ept::kMemoryTypeShift,
        .large_1g = large_1g,
        .dirty = dirty_flags ? ept::kDirty : 0,
        .dirty_is_listed = write_log,
    };
}

// Write-back tables, four levels; with flags, the CPU keeps accessed and dirty flags.
constexpr u64 make_ept_pointer(Hpa root, bool flags) {
    constexpr u64 kEnableFlags = 1 << 6;
    return root.value | static_cast<u64>(MemoryType::WriteBack) | (4 - 1) << 3 |
           (flags ? kEnableFlags : 0);
}

}  // namespace skep::hv::vmx
