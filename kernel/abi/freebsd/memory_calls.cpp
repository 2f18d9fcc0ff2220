// FreeBSD calls on memory: sys/mman.h.
#include <kernel/abi/arguments.hpp>
#include <kernel/abi/freebsd/memory_flags.hpp>
#include <kernel/abi/freebsd/memory_policy.hpp>
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/abi/memory.hpp>
#include <kernel/mm/layout.hpp>
#include <kernel/proc/process.hpp>

namespace skep::kernel::freebsd_abi {

namespace {

VmMap& map() {
    return *current_process().map;
}

// Ranges need not be page aligned: what they touch is meant.
struct PageRange {
    std::uint64_t start, size;
};
Result<PageRange> page_range(std::uint64_t address, std::uint64_t size) {
    if (address > kUserEnd || size > kUserEnd - address)
        return fail(Errno::Inval);
    const std::uint64_t start = address & ~(kPageSize - 1);
    return PageRange{start, (address + size + kPageSize - 1 - start) & ~(kPageSize - 1)};
}

Returns mmap(Arguments a) {
    const std::int32_t descriptor = static_cast<std::int32_t>(a[4]);
    const std::uint64_t in_page = a[5] % kPageSize;
    MapRequest request = SKEP_TRY(map_request(a[0], a[1], a[2], a[3]));
    if (!SKEP_TRY(protection_argument(a[2])).maximum)
        request.max_protection = implied_maximum(request.protection);
    const MapKind kind = SKEP_TRY(map_kind(a[2], a[3], descriptor, a[5]));
    if (request.fixed && request.address % kPageSize != in_page)
        return fail(Errno::Inval);
    request.address -= request.fixed ? in_page : 0;
    if (request.size > kUserEnd)
        return fail(Errno::NoMem);
    request.size = (request.size + in_page + kPageSize - 1) & ~(kPageSize - 1);
    if (request.fixed && (request.address > kUserEnd || request.size > kUserEnd - request.address))
        return fail(Errno::Inval);
    Ref<File> file;
    if (kind == MapKind::File)
        file = SKEP_TRY(abi::file_argument(a[4]));
    const auto address = abi::map_memory(std::move(request), file, a[5] - in_page);
    if (!address)
        return fail(address.error() == Errno::Exist ? Errno::NoMem : address.error());  // MAP_EXCL
    return *address + in_page;
}

Returns munmap(Arguments a) {
    if (a[1] == 0)
        return fail(Errno::Inval);
    const PageRange range = SKEP_TRY(page_range(a[0], a[1]));
    SKEP_TRY(map().unmap(range.start, range.size));
    return 0;
}

Returns mprotect(Arguments a) {
    const Protection wanted = SKEP_TRY(protection_argument(a[2]));
    const PageRange range = SKEP_TRY(page_range(a[0], a[1]));
    if (range.size)
        SKEP_TRY(map().protect(range.start, range.size, wanted.now, wanted.maximum));
    return 0;
}

Returns madvise(Arguments a) {
    constexpr std::int32_t kFree = 5, kProtect = 10;
    const auto advice = static_cast<std::int32_t>(a[2]);
    if (advice < 0 || advice > kProtect)
        return fail(Errno::Inval);
    const PageRange range = SKEP_TRY(page_range(a[0], a[1]));
    if (advice != kFree || !range.size)
        return 0;
    if (!map().covers(range.start, range.size))
        return fail(Errno::Inval);
    SKEP_TRY(map().discard(range.start, range.size));
    return 0;
}

Returns msync(Arguments a) {
    const PageRange range = SKEP_TRY(page_range(a[0], a[1]));
    if (range.size && !map().covers(range.start, range.size))
        return fail(Errno::NoMem);
    return 0;
}

Returns mincore(Arguments a) {
    constexpr std::uint8_t kInCore = 1;
    const PageRange range = SKEP_TRY(page_range(a[0], a[1]));
    SKEP_TRY(abi::report_residence(range.start, range.size, a[2], kInCore));
    return 0;
}

Returns minherit(Arguments a) {
    constexpr std::int32_t kShare = 0, kCopy = 1, kNone = 2, kZero = 3;
    const PageRange range = SKEP_TRY(page_range(a[0], a[1]));
    switch (static_cast<std::int32_t>(a[2])) {
        case kCopy:
            return done(map().set_inheritance(range.start, range.size, Inherit::Copy));
        case kNone:
            return done(map().set_inheritance(range.start, range.size, Inherit::Nothing));
        case kZero:  // arc4random(3): a child must not draw its parent's numbers
            return done(map().set_inheritance(range.start, range.size, Inherit::Zeros));
        case kShare:
            return fail(Errno::OpNotSupp);
        default:
            return fail(Errno::Inval);
    }
}

// break(2) tells the new break. Below the first one nothing changes, and it tells the present: so C
// libraries from FreeBSD 12 on learn where they are. Earlier ones know the end of their .bss.
Returns obreak(Arguments a) {
    VmMap& here = map();
    if (a[0] >= here.brk_start())
        SKEP_TRY(here.set_brk(a[0]));
    return here.brk();
}

Returns refused(Arguments) {
    return fail(Errno::OpNotSupp);
}
Returns nothing(Arguments) {
    return 0;
}
constexpr std::string_view kNoPaging = "memory is never paged out";

constexpr Syscall kCalls[] = {
    {17, "break", 1, obreak},
    {65, "msync", 3, msync, SyscallStatus::Partial, "does not wait for the disk"},
    {69, "sbrk", 1, refused},
    {70, "sstk", 1, refused},
    {73, "munmap", 2, munmap},
    {74, "mprotect", 3, mprotect},
    {75, "madvise", 3, madvise, SyscallStatus::Partial, "MADV_FREE acts; hints are accepted"},
    {78, "mincore", 3, mincore, SyscallStatus::Partial, "MINCORE_INCORE only"},
    {203, "mlock", 2, nothing, SyscallStatus::Ignored, kNoPaging},
    {204, "munlock", 2, nothing, SyscallStatus::Ignored, kNoPaging},
    {250, "minherit", 3, minherit, SyscallStatus::Partial,
     "INHERIT_SHARE is refused; INHERIT_COPY of shared memory leaves it shared"},
    {324, "mlockall", 1, nothing, SyscallStatus::Ignored, kNoPaging},
    {325, "munlockall", 0, nothing, SyscallStatus::Ignored, kNoPaging},
    {477, "mmap", 6, mmap, SyscallStatus::Partial,
     "MAP_STACK does not grow; MAP_PREFAULT_READ, MAP_NOCORE, MAP_NOSYNC are ignored"},
};

}  // namespace

const std::span<const Syscall> memory_calls = kCalls;

}  // namespace skep::kernel::freebsd_abi
