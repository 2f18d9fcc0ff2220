#include <kernel/mm/vm_map.hpp>

#include <kernel/base/make.hpp>
#include <kernel/mm/frame.hpp>
#include <kernel/mm/layout.hpp>

#include <algorithm>
#include <array>
#include <cstring>

namespace skep::kernel {

namespace {

constexpr std::uint64_t kLowest = 0x1'0000;  // null pointers with an offset never hit a mapping
constexpr std::size_t kMaxEntries = 65536;

constexpr std::uint64_t page_of(std::uint64_t a) {
    return a & ~(kPageSize - 1);
}
constexpr std::uint64_t page_up(std::uint64_t a) {
    return page_of(a + kPageSize - 1);
}

// A user range: page-aligned start, whole pages. Errors: Inval.
struct Range {
    std::uint64_t start, end;
};
Result<Range> user_range(std::uint64_t start, std::uint64_t size) {
    if (start % kPageSize != 0 || start > kUserEnd || size > kUserEnd - start)
        return fail(Errno::Inval);
    return Range{start, page_up(start + size)};
}

}  // namespace

Result<Ref<VmMap>> VmMap::create() {
    const PhysAddr root = SKEP_TRY(make_top_level_table());
    auto map = make_ref<VmMap>(root);
    if (!map)
        free_frames(root, 0);
    return map;
}

// Nobody runs in it any more, and no CPU has it loaded.
VmMap::~VmMap() {
    clear();  // it may never have had a user
    table_.free_tables(kUserEnd + kPageSize);
    free_frames(table_.root(), 0);
}

void VmMap::remove_user() {
    if (users_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
        const MutexGuard guard(lock_);
        clear();
    }
}

// Nothing is mapped any more.
void VmMap::clear() {
    for (const MapEntry& e : entries_)
        drop_pages(e.start, e.end);
    entries_.clear();
    mapped_ = 0;
}

std::size_t VmMap::find_index(std::uint64_t address) const {
    const MapEntry* e = std::ranges::upper_bound(entries_, address, {}, &MapEntry::end);
    return static_cast<std::size_t>(e - entries_.begin());
}

MapEntry* VmMap::find(std::uint64_t address) {
    const std::size_t i = find_index(address);
    return i < entries_.size() && entries_[i].start <= address ? &entries_[i] : nullptr;
}

Result<> VmMap::insert_entry(MapEntry entry) {
    if (entries_.size() >= kMaxEntries)
        return fail(Errno::NoMem);
    const std::size_t at = find_index(entry.start);
    const std::uint64_t size = entry.end - entry.start;
    SKEP_TRY(entries_.insert(at, std::move(entry)));
    mapped_ += size;
    try_merge(at);
    return {};
}

Result<> VmMap::split_at(std::uint64_t address) {
    MapEntry* e = find(address);
    if (!e || e->start == address)
        return {};
    if (entries_.size() >= kMaxEntries)
        return fail(Errno::NoMem);
    MapEntry upper = *e;
    upper.start = address;
    upper.offset += address - e->start;
    const auto at = static_cast<std::size_t>(e - entries_.begin());
    SKEP_TRY(entries_.insert(at + 1, std::move(upper)));
    entries_[at].end = address;
    return {};
}

// Joins the entry with its neighbours where nothing distinguishes them.
void VmMap::try_merge(std::size_t index) {
    auto joinable = [](const MapEntry& a, const MapEntry& b) {
        return a.end == b.start && a.protection == b.protection &&
               a.max_protection == b.max_protection && a.shared == b.shared &&
               a.inherit == b.inherit && a.object == b.object &&
               (!a.object || a.offset + (a.end - a.start) == b.offset);
    };
    if (index + 1 < entries_.size() && joinable(entries_[index], entries_[index + 1])) {
        entries_[index].end = entries_[index + 1].end;
        entries_.erase(index + 1);
    }
    if (index > 0 && index < entries_.size() && joinable(entries_[index - 1], entries_[index])) {
        entries_[index - 1].end = entries_[index].end;
        entries_.erase(index);
    }
}

// The highest gap below the limit, or the hint if that is free.
Result<std::uint64_t> VmMap::find_gap(const MapRequest& r) {
    const std::uint64_t size = page_up(r.size),
                        limit = r.below ? std::min(r.below, kMapTop) : kMapTop;
    if (size == 0 || size > limit)
        return fail(Errno::NoMem);
    const std::uint64_t hint = page_of(r.address);
    if (hint >= kLowest && hint % r.alignment == 0 && hint <= limit - size) {
        const std::size_t i = find_index(hint);
        if (i == entries_.size() || entries_[i].start >= hint + size)
            return hint;
    }
    for (const MapEntry* e; (e = find(full_from_ - 1));)
        full_from_ = e->start;
    std::uint64_t gap_end = std::min(limit, full_from_);
    for (std::size_t i = find_index(gap_end - 1); i <= entries_.size(); i--) {
        if (i < entries_.size() && entries_[i].start < gap_end && entries_[i].end > gap_end) {
            gap_end = entries_[i].start;
            continue;
        }
        // The gap between entry i - 1 (or the bottom) and gap_end, which is entry i's start or the
        // limit.
        if (i < entries_.size())
            gap_end = std::min(gap_end, entries_[i].start);
        const std::uint64_t gap_start = std::max(i > 0 ? entries_[i - 1].end : 0, kLowest);
        if (gap_end > gap_start && gap_end - gap_start >= size) {
            const std::uint64_t address = (gap_end - size) & ~(r.alignment - 1);
            if (address >= gap_start)
                return address;
        }
        if (i == 0)
            break;
    }
    return fail(Errno::NoMem);
}

Result<std::uint64_t> VmMap::map(const MapRequest& r) {
    if (r.size == 0 || r.size > kUserEnd)
        return fail(Errno::Inval);
    if (forbidden(r.protection))
        return fail(Errno::Acces);
    const MutexGuard guard(lock_);
    std::uint64_t start;
    if (r.fixed) {
        const Range range = SKEP_TRY(user_range(r.address, r.size));
        if (range.start < kLowest)
            return fail(Errno::Perm);
        start = range.start;
        if (!r.replace) {
            const std::size_t i = find_index(range.start);
            if (i < entries_.size() && entries_[i].start < range.end)
                return fail(Errno::Exist);
        }
        SKEP_TRY(unmap_locked(range.start, range.end));
    } else {
        start = SKEP_TRY(find_gap(r));
    }
    SKEP_TRY(insert_entry({start, start + page_up(r.size), r.protection, r.max_protection, r.shared,
                           r.object, r.offset}));
    return start;
}

Result<> VmMap::unmap(std::uint64_t start, std::uint64_t size) {
    const Range range = SKEP_TRY(user_range(start, size));
    if (size == 0)
        return fail(Errno::Inval);
    const MutexGuard guard(lock_);
    return unmap_locked(range.start, range.end);
}

Result<> VmMap::unmap_locked(std::uint64_t start, std::uint64_t end) {
    SKEP_TRY(split_at(start));
    SKEP_TRY(split_at(end));
    const std::size_t first = find_index(start);
    std::size_t last = first;
    while (last < entries_.size() && entries_[last].start < end)
        last++;
    if (first == last)
        return {};
    drop_pages(start, end);
    full_from_ = std::max(full_from_, std::min(end, kMapTop));
    for (std::size_t i = first; i < last; i++)
        mapped_ -= entries_[i].end - entries_[i].start;
    entries_.erase(first, last - first);
    return {};
}

// Frames are released only when no CPU can reach them any more.
void VmMap::drop_pages(std::uint64_t start, std::uint64_t end) {
    std::array<PhysAddr, 64> frames;
    std::size_t count = 0;
    std::uint64_t from = start, to = start;
    auto release = [&] {
        if (from == to)
            return;
        flush_tlb(*this, from, to);
        for (std::size_t i = 0; i < count; i++)
            release_frame(frames[i]);
        count = 0;
        from = to;
    };
    table_.for_each(start, end, [&](std::uint64_t address, Pte& pte, int level) {
        if (pte.counted()) {
            frames[count++] = pte.address();
            resident_.fetch_sub(1, std::memory_order_relaxed);
        }
        pte.value = 0;
        if (from == to)
            from = address;
        to = address + PageTable::level_size(level);
        if (count == frames.size())
            release();
    });
    release();
}

Result<> VmMap::protect(std::uint64_t start, std::uint64_t size, std::uint32_t protection,
                        std::optional<std::uint32_t> maximum) {
    const Range range = SKEP_TRY(user_range(start, size));
    if (size == 0)
        return {};
    if (forbidden(protection))
        return fail(Errno::Acces);
    const MutexGuard guard(lock_);
    std::uint64_t at = range.start;
    for (std::size_t i = find_index(at); at < range.end; i++) {
        if (i == entries_.size() || entries_[i].start > at)
            return fail(Errno::NoMem);
        if ((protection | maximum.value_or(0)) & ~entries_[i].max_protection)
            return fail(Errno::Acces);
        at = entries_[i].end;
    }
    SKEP_TRY(split_at(range.start));
    SKEP_TRY(split_at(range.end));
    std::size_t i = find_index(range.start);
    bool lost = false;  // a right that a CPU may have remembered
    for (; i < entries_.size() && entries_[i].start < range.end; i++) {
        MapEntry& e = entries_[i];
        e.protection = protection;
        e.max_protection = maximum.value_or(e.max_protection);
        table_.for_each(e.start, e.end, [&](std::uint64_t, Pte& pte, int level) {
            if (level > 1) {  // comes back on demand, from its object
                pte.value = 0;
                lost = true;
                return;
            }
            const Pte before = pte;
            // Rights that are gained come with the next fault.
            pte.value &= ~(Pte::kPresent | Pte::kHidden | Pte::kNoExecute);
            pte.value |= protection ? Pte::kPresent : Pte::kHidden;
            if (!(protection & kProtWrite))
                pte.value &= ~Pte::kWrite;
            if (!(protection & kProtExecute))
                pte.value |= Pte::kNoExecute;
            lost = lost || (before.value & ~pte.value & (Pte::kPresent | Pte::kWrite)) ||
                   (pte.value & ~before.value & Pte::kNoExecute);
        });
    }
    if (lost)
        flush_tlb(*this, range.start, range.end);
    // From behind, so that indices before stay valid.
    for (const std::size_t first = find_index(range.start); i > first && i > 0; i--)
        try_merge(i - 1);
    return {};
}

Result<> VmMap::discard(std::uint64_t start, std::uint64_t size) {
    const Range range = SKEP_TRY(user_range(start, size));
    const MutexGuard guard(lock_);
    drop_pages(range.start, range.end);
    return {};
}

Result<> VmMap::set_inheritance(std::uint64_t start, std::uint64_t size, Inherit inherit) {
    const Range range = SKEP_TRY(user_range(start, size));
    if (range.start == range.end)
        return {};
    const MutexGuard guard(lock_);
    if (inherit == Inherit::Zeros)
        for (std::size_t i = find_index(range.start);
             i < entries_.size() && entries_[i].start < range.end; i++)
            if (entries_[i].shared || entries_[i].object)
                return fail(Errno::Inval);
    SKEP_TRY(split_at(range.start));
    SKEP_TRY(split_at(range.end));
    std::size_t i = find_index(range.start);
    for (; i < entries_.size() && entries_[i].start < range.end; i++)
        entries_[i].inherit = inherit;
    for (const std::size_t first = find_index(range.start); i > first && i > 0; i--)
        try_merge(i - 1);
    return {};
}

bool VmMap::covers(std::uint64_t start, std::uint64_t size) {
    const MutexGuard guard(lock_);
    std::uint64_t at = start;
    for (std::size_t i = find_index(at); at < start + size; i++) {
        if (i == entries_.size() || entries_[i].start > at)
            return false;
        at = entries_[i].end;
    }
    return true;
}

Result<std::uint64_t> VmMap::remap(std::uint64_t start, std::uint64_t old_size,
                                   std::uint64_t new_size, bool may_move, std::uint64_t fixed_to) {
    const Range range = SKEP_TRY(user_range(start, old_size));
    if (new_size == 0 || new_size > kUserEnd || range.start == range.end)
        return fail(Errno::Inval);
    new_size = page_up(new_size);
    const MutexGuard guard(lock_);
    const MapEntry* found = find(range.start);
    if (!found || found->end < range.end)
        return fail(Errno::Fault);
    if (fixed_to) {
        const Range to = SKEP_TRY(user_range(fixed_to, new_size));
        if (to.start < range.end && to.end > range.start)
            return fail(Errno::Inval);
    } else if (new_size <= range.end - range.start) {
        if (range.start + new_size < range.end)
            SKEP_TRY(unmap_locked(range.start + new_size, range.end));
        return range.start;
    } else {
        // In place, if nothing follows.
        const std::size_t next = find_index(range.end);
        const bool free =
            found->end == range.end && new_size <= kUserEnd - range.start &&
            (next == entries_.size() || entries_[next].start >= range.start + new_size);
        if (free) {
            MapEntry more = *found;
            more.offset += range.end - found->start;
            more.start = range.end;
            more.end = range.start + new_size;
            SKEP_TRY(insert_entry(std::move(more)));
            return range.start;
        }
        if (!may_move)
            return fail(Errno::NoMem);
    }

    MapEntry moved = *found;
    moved.offset += range.start - found->start;
    std::uint64_t to = fixed_to;
    if (fixed_to)
        SKEP_TRY(unmap_locked(fixed_to, fixed_to + new_size));
    else
        to = SKEP_TRY(find_gap({.size = new_size}));
    moved.start = to;
    moved.end = to + new_size;
    // Page tables first: afterwards nothing can fail half way.
    const std::uint64_t keep = std::min(new_size, range.end - range.start);
    for (std::uint64_t offset = 0; offset < keep; offset += kPageSize)
        if (const Pte* pte = table_.find(range.start + offset); pte && pte->mapped())
            SKEP_TRY(table_.make(to + offset, 1));
    SKEP_TRY(split_at(range.start));
    SKEP_TRY(split_at(range.end));
    SKEP_TRY(insert_entry(std::move(moved)));
    table_.for_each(range.start, range.start + keep,
                    [&](std::uint64_t address, Pte& pte, int level) {
                        if (level == 1)
                            table_.find(to + (address - range.start))->value = pte.value;
                        pte.value = 0;
                    });
    flush_tlb(*this, range.start, range.end);
    SKEP_TRY(unmap_locked(range.start, range.end));
    return to;
}

Result<> VmMap::fork_entry(const MapEntry& e, VmMap& child) {
    if (e.inherit == Inherit::Nothing)
        return {};
    SKEP_TRY(child.insert_entry(e));
    if (e.shared || e.inherit == Inherit::Zeros)
        return {};
    Result<> result;
    table_.for_each(e.start, e.end, [&](std::uint64_t address, Pte& pte, int level) {
        if (!result || level > 1 || !pte.counted())
            return;
        auto copy = child.table_.make(address, 1);
        if (!copy) {
            result = fail(copy.error());
            return;
        }
        pte.value &= ~Pte::kWrite;
        retain_frame(pte.address());
        (*copy)->value = pte.value;
        child.resident_.fetch_add(1, std::memory_order_relaxed);
    });
    return result;
}

Result<Ref<VmMap>> VmMap::fork() {
    Ref<VmMap> child = SKEP_TRY(create());
    const MutexGuard guard(lock_);
    child->write_xor_execute_ = write_xor_execute_.load();
    child->brk_start_ = brk_start_;
    child->brk_ = brk_;
    Result<> result;
    for (const MapEntry& e : entries_) {
        result = fork_entry(e, *child);
        if (!result)
            break;
    }
    flush_tlb(*this, 0, kUserEnd);
    if (!result)
        return fail(result.error());
    return child;
}

Result<> VmMap::set_brk(std::uint64_t to) {
    if (to < brk_start_ || to > kMapTop)
        return fail(Errno::NoMem);
    const std::uint64_t from = page_up(brk_), end = page_up(to);
    if (end > from)
        SKEP_TRY(map({.address = from, .size = end - from, .fixed = true, .replace = false}));
    else if (end < from)
        SKEP_TRY(unmap(end, from - end));
    brk_ = to;
    return {};
}

Result<> VmMap::set_write_xor_execute(bool on) {
    const MutexGuard guard(lock_);
    write_xor_execute_ = on;
    for (const MapEntry& e : entries_)
        if (forbidden(e.protection))
            return fail(Errno::Acces);
    return {};
}

bool VmMap::forbidden(std::uint32_t protection) const {
    constexpr std::uint32_t kBoth = kProtWrite | kProtExecute;
    return (protection & kBoth) == kBoth && write_xor_execute_.load(std::memory_order_relaxed);
}

Result<VmMap::SharedPlace> VmMap::shared_place(std::uint64_t address) {
    const MutexGuard guard(lock_);
    const MapEntry* e = find(address);
    if (!e)
        return fail(Errno::Fault);
    if (!e->shared)
        return SharedPlace{nullptr, 0};
    return SharedPlace{e->object.get(), e->offset + (address - e->start)};
}

std::uint64_t VmMap::resident_pages(std::uint64_t start, std::uint64_t end) {
    const MutexGuard guard(lock_);
    std::uint64_t count = 0;
    table_.for_each(start, end, [&](std::uint64_t, const Pte&, int level) {
        count += PageTable::level_size(level) / kPageSize;
    });
    return count;
}

Result<PhysAddr> VmMap::physical(std::uint64_t address) {
    const MutexGuard guard(lock_);
    int level;
    const Pte* pte = table_.find(address, &level);
    if (!pte || !pte->present())
        return fail(Errno::Fault);
    const std::uint64_t size = PageTable::level_size(level);
    return PhysAddr{(pte->address().value & ~(size - 1)) + (address & (size - 1))};
}

}  // namespace skep::kernel
