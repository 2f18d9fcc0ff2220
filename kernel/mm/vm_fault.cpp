// Page faults: what an address space shows is put into its page tables when it is first touched.
#include <kernel/mm/frame.hpp>
#include <kernel/mm/layout.hpp>
#include <kernel/mm/vm_map.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel {

namespace {

std::uint64_t pte_flags(const MapEntry& e, bool writable) {
    std::uint64_t flags = Pte::kPresent | Pte::kUser | Pte::kAccessed;
    if (writable)
        flags |= Pte::kWrite | Pte::kDirty;
    if (!(e.protection & kProtExecute))
        flags |= Pte::kNoExecute;
    return flags;
}

bool allows(const MapEntry& e, FaultAccess access) {
    switch (access) {
        case FaultAccess::Read:
            return e.protection != 0;
        case FaultAccess::Write:
            return e.protection & kProtWrite;
        case FaultAccess::Execute:
            return e.protection & kProtExecute;
    }
    return false;
}

}  // namespace

Result<> VmMap::fault(std::uint64_t address, FaultAccess access) {
    if (address >= kUserEnd)
        return fail(Errno::Fault);
    const MutexGuard guard(lock_);
    const MapEntry* e = find(address);
    if (!e)
        return fail(Errno::Fault);
    if (!allows(*e, access))
        return fail(Errno::Acces);
    return resolve(*e, address & ~(kPageSize - 1), access);
}

// Under the lock, so that no page goes away while it is read.
Result<> VmMap::read(std::uint64_t address, void* to, std::size_t size) {
    if (address >= kUserEnd || size > kUserEnd - address)
        return fail(Errno::Fault);
    auto* at = static_cast<std::byte*>(to);
    const MutexGuard guard(lock_);
    while (size) {
        const MapEntry* e = find(address);
        if (!e)
            return fail(Errno::Fault);
        if (!allows(*e, FaultAccess::Read))
            return fail(Errno::Acces);
        int level;
        const Pte* pte = table_.find(address, &level);
        if (!pte || !pte->present()) {
            SKEP_TRY(resolve(*e, address & ~(kPageSize - 1), FaultAccess::Read));
            pte = table_.find(address, &level);
        }
        const std::uint64_t page = PageTable::level_size(level), in_page = address & (page - 1);
        const std::size_t part = std::min<std::uint64_t>(size, page - in_page);
        const PhysAddr frame{pte->address().value & ~(page - 1)};
        std::memcpy(at, static_cast<const std::byte*>(direct_map(frame)) + in_page, part);
        at += part, address += part, size -= part;
    }
    return {};
}

Result<> VmMap::resolve(const MapEntry& e, std::uint64_t page, FaultAccess access) {
    const bool write = access == FaultAccess::Write;
    int level;
    Pte* pte = table_.find(page, &level);
    if (pte && level == 1 && pte->hidden()) {
        pte->value =
            (pte->value & ~(Pte::kHidden | Pte::kNoExecute | Pte::kWrite)) | pte_flags(e, false);
    }
    if (pte && pte->present()) {
        if (access == FaultAccess::Execute)
            pte->value &= ~Pte::kNoExecute;
        if (write && !pte->writable()) {
            if (!e.shared)
                return copy_for_write(e, page, *pte);
            if (pte->counted() && e.object) {
                const ObjectPage same =
                    SKEP_TRY(e.object->page((e.offset + (page - e.start)) / kPageSize, true));
                if (same.counted)
                    release_frame(same.frame);
            }
            pte->value |= Pte::kWrite | Pte::kDirty;
        }
        forget_page_here(*this, page);
        return {};
    }

    if (!e.object) {
        pte = SKEP_TRY(table_.make(page, 1));
        const PhysAddr frame = SKEP_TRY(allocate_zeroed_frame());
        pte->value = frame.value | pte_flags(e, e.protection & kProtWrite);
        resident_.fetch_add(1, std::memory_order_relaxed);
        return {};
    }

    const std::uint64_t index = (e.offset + (page - e.start)) / kPageSize;
    auto shown = e.object->page(index, write && e.shared);
    if (!shown) {
        const bool memory = shown.error() == Errno::NoMem || shown.error() == Errno::NoSpc;
        return fail(memory ? Errno::NoMem : Errno::Io);
    }
    const std::uint64_t in_run = index & ((std::uint64_t{1} << shown->order) - 1);

    constexpr unsigned kLargeOrder = 9;
    const std::uint64_t large = page & ~(kLargePageSize - 1);
    if (e.shared && !shown->counted && shown->order >= kLargeOrder && large >= e.start &&
        large + kLargePageSize <= e.end && (e.offset + (large - e.start)) % kLargePageSize == 0) {
        auto entry = table_.make(page, 2);
        if (entry && !(*entry)->present()) {
            const std::uint64_t run =
                shown->frame.value + (in_run * kPageSize & ~(kLargePageSize - 1));
            (*entry)->value =
                run | pte_flags(e, e.protection & kProtWrite) | Pte::kLarge | Pte::kUncounted;
            return {};
        }
    }

    PhysAddr frame = shown->frame + in_run * kPageSize;
    bool counted = shown->counted;
    auto made = table_.make(page, 1);
    if (made && write && !e.shared) {
        auto copy = allocate_user_frame();
        if (copy)
            std::memcpy(direct_map(*copy), direct_map(frame), kPageSize);
        else
            made = fail(copy.error());
        if (counted)
            release_frame(frame);
        if (made)
            frame = *copy;
        counted = copy.has_value();
    } else if (!made && counted) {
        release_frame(frame);
    }
    if (!made)
        return fail(made.error());
    (*made)->value = frame.value |
                     pte_flags(e, write || (e.shared && !counted && e.protection & kProtWrite)) |
                     (counted ? 0 : Pte::kUncounted) |
                     (shown->uncached ? Pte::kCacheDisable | Pte::kWriteThrough : 0);
    if (counted)
        resident_.fetch_add(1, std::memory_order_relaxed);
    return {};
}

Result<> VmMap::copy_for_write(const MapEntry& e, std::uint64_t page, Pte& pte) {
    const PhysAddr old = pte.address();
    const Frame* record = pte.counted() ? frame_of(old) : nullptr;
    if (record && record->kind == FrameKind::Allocated &&
        record->uses.load(std::memory_order_acquire) == 1) {
        pte.value = old.value | pte_flags(e, true);
        forget_page_here(*this, page);
        return {};
    }
    const PhysAddr copy = SKEP_TRY(allocate_user_frame());
    std::memcpy(direct_map(copy), direct_map(old), kPageSize);
    const bool counted = pte.counted();
    pte.value = copy.value | pte_flags(e, true);
    flush_tlb(*this, page, page + kPageSize);
    if (counted)
        release_frame(old);
    else
        resident_.fetch_add(1, std::memory_order_relaxed);
    return {};
}

}  // namespace skep::kernel
