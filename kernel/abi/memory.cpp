#include <kernel/abi/memory.hpp>

#include <kernel/mm/anonymous_object.hpp>
#include <kernel/proc/process.hpp>

namespace skep::kernel::abi {

Result<std::uint64_t> map_memory(MapRequest r, const Ref<File>& file, std::uint64_t offset) {
    if (file) {
        const std::uint32_t access = file->flags();
        if (!(access & kOpenRead) ||
            (r.shared && r.protection & kProtWrite && !(access & kOpenWrite)))
            return fail(Errno::Acces);
        if (r.shared && !(access & kOpenWrite))
            r.max_protection &= ~kProtWrite;
        const MmapRequest request{offset, r.size, r.protection, r.shared};
        r.object = SKEP_TRY(file->mmap(request, &r.offset));
        if (r.size >= kLargePageSize && r.shared && r.alignment < kLargePageSize)
            r.alignment = kLargePageSize;
    } else if (r.shared) {
        r.object = SKEP_TRY(AnonymousObject::create(r.size));
    }
    return current_process().map->map(r);
}

Result<> report_residence(std::uint64_t address, std::uint64_t size, UserAddr to,
                          std::uint8_t present) {
    VmMap& map = *current_process().map;
    if (size && !map.covers(address, size))
        return fail(Errno::NoMem);
    for (std::uint64_t at = 0; at < size; at += kPageSize)
        SKEP_TRY(copy_out(to + at / kPageSize,
                          static_cast<std::uint8_t>(map.physical(address + at) ? present : 0)));
    return {};
}

}  // namespace skep::kernel::abi
