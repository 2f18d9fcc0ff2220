// mmap's and mprotect's flags: sys/mman.h.
#pragma once

#include <kernel/mm/vm_map.hpp>

#include <optional>

namespace skep::kernel::freebsd_abi {

enum : std::uint32_t {
    kMapShared = 1,
    kMapPrivate = 2,
    kMapFixed = 0x10,
    kMapStack = 0x400,
    kMapAnonymous = 0x1000,
    kMapGuard = 0x2000,
    kMapExclusive = 0x4000,
    kMap32Bit = 0x80000,
    kMapAlignedSuper = 1 << 24,
    kMapAlignmentShift = 24,
};

struct Protection {
    std::uint32_t now;
    std::optional<std::uint32_t> maximum;  // if it was named
};
// PROT_* with PROT_MAX(). Inval; NotSup as OpNotSupp: more wanted than allowed later.
Result<Protection> protection_argument(std::uint64_t protection);

enum class MapKind : std::uint8_t {
    Anonymous,
    File
};
// Inval: flags that do not go together.
Result<MapKind> map_kind(std::uint64_t protection, std::uint64_t flags, std::int32_t descriptor,
                         std::uint64_t offset);
Result<MapRequest> map_request(std::uint64_t address, std::uint64_t size, std::uint64_t protection,
                               std::uint64_t flags);

}  // namespace skep::kernel::freebsd_abi
