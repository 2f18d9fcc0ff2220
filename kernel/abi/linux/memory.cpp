#include <kernel/abi/linux/tables.hpp>
#include <kernel/abi/memory.hpp>
#include <kernel/mm/layout.hpp>
#include <kernel/proc/process.hpp>
#include <kernel/vfs/current.hpp>

namespace skep::kernel::linux_abi {

namespace {

using Arguments = const std::uint64_t*;
using Returns = Result<std::uint64_t>;

// asm-generic/mman-common.h
constexpr std::uint64_t kShared = 1, kPrivate = 2, kSharedValidate = 3, kTypeMask = 0xf,
                        kFixed = 0x10, kAnonymous = 0x20, k32Bit = 0x40,
                        kFixedNoReplace = 0x10'0000;

Returns mmap(Arguments a) {
    const std::uint64_t flags = a[3], type = flags & kTypeMask;
    if (a[1] == 0 || (type != kShared && type != kPrivate && type != kSharedValidate) ||
        a[5] % kPageSize != 0)
        return fail(Errno::Inval);
    if (a[1] > kUserEnd)
        return fail(Errno::NoMem);
    MapRequest r{.address = a[0], .size = a[1], .protection = static_cast<std::uint32_t>(a[2]) & 7};
    r.shared = type != kPrivate;
    r.fixed = flags & (kFixed | kFixedNoReplace);
    r.replace = !(flags & kFixedNoReplace);
    if (flags & k32Bit)
        r.below = 0x8000'0000;
    Ref<File> file;
    if (!(flags & kAnonymous))
        file = SKEP_TRY(current_descriptors().get(static_cast<std::uint32_t>(a[4])));
    return abi::map_memory(std::move(r), file, a[5]);
}

Returns munmap(Arguments a) {
    SKEP_TRY(current_process().map->unmap(a[0], a[1]));
    return 0;
}

Returns mprotect(Arguments a) {
    constexpr std::uint64_t kGrowsDown = 0x0100'0000, kGrowsUp = 0x0200'0000;
    if (a[2] & ~(7 | kGrowsDown | kGrowsUp))
        return fail(Errno::Inval);
    SKEP_TRY(current_process().map->protect(a[0], a[1], static_cast<std::uint32_t>(a[2]) & 7));
    return 0;
}

Returns brk(Arguments a) {
    VmMap& map = *current_process().map;
    if (a[0])
        (void)map.set_brk(a[0]);  // failure is told by the unchanged break
    return map.brk();
}

Returns mremap(Arguments a) {
    constexpr std::uint64_t kMayMove = 1, kMoveFixed = 2;
    if (a[3] & ~(kMayMove | kMoveFixed) || (a[3] & kMoveFixed && !(a[3] & kMayMove)))
        return fail(Errno::Inval);
    return current_process().map->remap(a[0], a[1], a[2], a[3] & kMayMove,
                                        a[3] & kMoveFixed ? a[4] : 0);
}

Returns madvise(Arguments a) {
    // asm-generic/mman-common.h
    enum {
        Normal,
        Random,
        Sequential,
        WillNeed,
        DontNeed,
        Free = 8,
        Remove,
        DontFork,
        DoFork,
        Mergeable = 12,
        Unmergeable,
        HugePage,
        NoHugePage,
        DontDump,
        DoDump,
        WipeOnFork,
        KeepOnFork,
        Cold,
        PageOut,
        PopulateRead,
        PopulateWrite
    };
    VmMap& map = *current_process().map;
    if (a[0] % kPageSize != 0)
        return fail(Errno::Inval);
    switch (a[2]) {
        case DontNeed:
        case Free:
            if (a[1] && !map.covers(a[0], a[1]))
                return fail(Errno::NoMem);
            SKEP_TRY(map.discard(a[0], a[1]));
            return 0;
        case PopulateRead:
        case PopulateWrite:
            for (std::uint64_t at = a[0]; at < a[0] + a[1]; at += kPageSize)
                SKEP_TRY(
                    map.fault(at, a[2] == PopulateWrite ? FaultAccess::Write : FaultAccess::Read));
            return 0;
        case DontFork:
            SKEP_TRY(map.set_inheritance(a[0], a[1], Inherit::Nothing));
            return 0;
        case WipeOnFork:
            SKEP_TRY(map.set_inheritance(a[0], a[1], Inherit::Zeros));
            return 0;
        case DoFork:
        case KeepOnFork:
            SKEP_TRY(map.set_inheritance(a[0], a[1], Inherit::Copy));
            return 0;
        case Remove:
            return fail(Errno::Inval);
        default:
            if (a[2] > PopulateWrite)
                return fail(Errno::Inval);
            return 0;  // hints
    }
}

Returns msync(Arguments a) {
    if (a[0] % kPageSize != 0)
        return fail(Errno::Inval);
    if (a[1] && !current_process().map->covers(a[0], a[1]))
        return fail(Errno::NoMem);
    return 0;
}

Returns mincore(Arguments a) {
    constexpr std::uint8_t kPresent = 1;
    if (a[0] % kPageSize != 0 || a[1] > kUserEnd)
        return fail(Errno::Inval);
    SKEP_TRY(abi::report_residence(a[0], a[1], a[2], kPresent));
    return 0;
}

// Nothing is ever paged out.
Returns nothing(Arguments) {
    return 0;
}
constexpr std::string_view kNoPaging = "memory is never paged out";

constexpr Syscall kCalls[] = {
    {9, "mmap", 6, mmap, SyscallStatus::Partial,
     "MAP_POPULATE, MAP_GROWSDOWN, MAP_HUGETLB are ignored"},
    {10, "mprotect", 3, mprotect},
    {11, "munmap", 2, munmap},
    {12, "brk", 1, brk},
    {25, "mremap", 5, mremap, SyscallStatus::Partial, "no MREMAP_DONTUNMAP"},
    {26, "msync", 3, msync, SyscallStatus::Partial, "does not wait for the disk"},
    {27, "mincore", 3, mincore},
    {28, "madvise", 3, madvise, SyscallStatus::Partial,
     "DONTNEED, FREE, POPULATE and those for fork act; hints are accepted"},
    {149, "mlock", 2, nothing, SyscallStatus::Ignored, kNoPaging},
    {150, "munlock", 2, nothing, SyscallStatus::Ignored, kNoPaging},
    {151, "mlockall", 1, nothing, SyscallStatus::Ignored, kNoPaging},
    {152, "munlockall", 0, nothing, SyscallStatus::Ignored, kNoPaging},
    {325, "mlock2", 3, nothing, SyscallStatus::Ignored, kNoPaging},
};

}  // namespace

const std::span<const Syscall> memory_calls = kCalls;

}  // namespace skep::kernel::linux_abi
