// Four-level page tables: second-level tables of guests and of the root domain (nested paging or
// EPT, by TableFormat), and hv's own.
//
// Each leaf records in bits that hardware ignores that it is mapped (a mapping without any access
// is still a mapping), which access its owner asked for, whether the dirty log watches it, and
// whether it was written since the log last looked. The log watches a 4 KiB page by the CPU's own
// dirty flag, where there is one; else, and a large page in any case, by taking writes away. A
// write that faults or that the CPU lists leaves a mark in the directory above the page, so that a
// harvest passes over the tables without one; flags that nothing tells of have to be searched for.
//
// Tables are freed only with the whole: a CPU may walk a table until its TLB has been flushed.
// `Memory` gives `std::optional<Hpa> allocate()` (zeroed), `free(Hpa)` and `u64* entries(Hpa)`. The
// caller locks, and flushes where a function says so.
#pragma once

#include "hv/lib/result.hpp"
#include "hv/memory/address.hpp"
#include "hv/memory/table_format.hpp"

#include <algorithm>
#include <atomic>
#include <optional>
#include <span>

namespace skep::hv {

template <class Memory>
class PageTable {
  public:
    static constexpr u64 kAddressLimit = u64{1} << 48;

    struct Mapping {
        Hpa address;         // of the byte asked for
        u64 size;            // of the page
        u32 protection;      // abi::Protection bits, as the owner asked
        bool write_blocked;  // writable by its owner, but armed by the dirty log
    };

    PageTable(const TableFormat& format, Memory& memory) : format_(format), memory_(memory) {}
    ~PageTable() {
        if (root_)
            free_table(*root_, kLevels);
    }
    PageTable(const PageTable&) = delete;
    PageTable& operator=(const PageTable&) = delete;

    Status create() {
        root_ = memory_.allocate();
        return root_ ? Status{} : fail(abi::Error::NoMemory);
    }
    Hpa root() const { return *root_; }

    // Exists if any part is mapped, NoMemory: then nothing has changed.
    Status map(u64 address, Hpa target, u64 size, u32 protection, MemoryType type) {
        HV_TRY(check_range(address, size));
        if (!is_aligned(target.value, kPageSize))
            return fail(abi::Error::Invalid);
        bool mapped = false;
        for_each_leaf(address, size, [&](u64&, unsigned, u64) { mapped = true; });
        if (mapped)
            return fail(abi::Error::Exists);
        const Fill fill{address, address + size, target, protection, type};
        if (auto done = fill_table(*root_, kLevels, 0, fill); !done) {
            for_each_leaf(address, size, [](u64& entry, unsigned, u64) { entry = 0; });
            return done;
        }
        return {};
    }

    // The caller flushes. NoMemory (no frame to split a large page): nothing has changed.
    Status unmap(u64 address, u64 size) {
        HV_TRY(check_range(address, size));
        HV_TRY(split_edges(address, size));
        for_each_leaf(address, size, [](u64& entry, unsigned, u64) { store(entry, 0); });
        return {};
    }

    // The caller flushes. NoEntity if a part is not mapped; then, as with NoMemory, nothing has
    // changed.
    Status protect(u64 address, u64 size, u32 protection) {
        HV_TRY(check_range(address, size));
        u64 covered = 0;
        for_each_leaf(address, size, [&](u64&, unsigned level, u64 at) {
            covered += std::min(at + span(level), address + size) - std::max(at, address);
        });
        if (covered != size)
            return fail(abi::Error::NoEntity);
        HV_TRY(split_edges(address, size));
        for_each_leaf(address, size,
                      [&](u64& entry, unsigned level, u64) { change(entry, level, protection); });
        return {};
    }

    // The frequent case of protect: a page that is mapped as such gains access, so nothing cached
    // can be stale. False: something else, which protect has to judge.
    bool grant(u64 address, u32 protection) {
        if (!is_aligned(address, kPageSize) || address >= kAddressLimit)
            return false;
        if (address >> 21 != granted_region_) {
            unsigned level = 0;
            u64* found = find_leaf(address, level);
            if (found == nullptr || level != 1)
                return false;
            granted_region_ = address >> 21;
            granted_table_ = found - index(address, 1);
        }
        u64& entry = granted_table_[index(address, 1)];
        const u64 before = entry;
        if ((before & (kMapped | kLogged)) != kMapped ||
            (owner_protection(before) & ~protection) != 0)
            return false;
        store(entry, leaf(frame_of(before), 1, protection, before & type_mask()));
        return true;
    }

    // A mapping without any access.
    bool is_absent(u64 address) const {
        u64 entry = root_->value;
        for (unsigned level = kLevels; level != 0; --level) {
            entry = memory_.entries(frame_of(entry))[index(address, level)];
            if ((entry & kMapped) != 0)
                return owner_protection(entry) == abi::kNone && address < kAddressLimit;
            if (entry == 0)
                return false;
        }
        return false;
    }

    std::optional<Mapping> lookup(u64 address) const {
        if (address >= kAddressLimit)
            return std::nullopt;
        Hpa table = *root_;
        for (unsigned level = kLevels;; --level) {
            const u64 entry = memory_.entries(table)[index(address, level)];
            if ((entry & kMapped) != 0) {
                const u64 offset = address & (span(level) - 1);
                const u32 protection = owner_protection(entry);
                return Mapping{frame_of(entry) + offset, span(level), protection,
                               (protection & abi::kWrite) != 0 && (entry & format_.writable) == 0};
            }
            if (entry == 0 || level == 1)
                return std::nullopt;
            table = frame_of(entry);
        }
    }

    // All of it: visit(first byte's target, size).
    template <class Visit>
    void for_each_mapping(Visit visit) {
        for_each_leaf(0, kAddressLimit, [&](u64& entry, unsigned level, u64) {
            visit(frame_of(entry), span(level));
        });
    }

    // One page, where hardware wants it, that the owner has not mapped and does not see: as if
    // nothing were there, for all but the CPU, and data alone. Nothing happens where something is
    // mapped, or without memory. The caller flushes after `remove_overlay`.
    void overlay(u64 address, Hpa frame) {
        unsigned level = 0;
        if (!map(address, frame, kPageSize, abi::kRead | abi::kWrite, MemoryType::WriteBack))
            return;
        overlay_ = find_leaf(address, level);
        std::atomic_ref(*overlay_).fetch_and(~(kMapped | u64{7} << kProtectionShift));
    }
    void remove_overlay() {
        if (overlay_ != nullptr && (*overlay_ & kMapped) == 0)
            store(*overlay_, 0);
        overlay_ = nullptr;
    }

    // Dirty log: of the leaves that are there when it starts. The caller flushes.
    void dirty_start(u64 address, u64 size) {
        for_each_leaf(address, size, [&](u64& entry, unsigned level, u64) { arm(entry, level); });
    }
    // Sets bit i for each page address + i * 4 KiB that was written, and arms those pages again.
    void dirty_harvest(u64 address, u64 size, std::span<u8> bitmap) {
        const u64 any_dirty = kDirty | format_.dirty;
        const auto take = [&](u64& entry, unsigned level, u64 at) {
            if ((entry & any_dirty) == 0 || !is_dirty(entry, level) ||
                !is_dirty(arm(entry, level), level))
                return;
            const u64 first = std::max(at, address),
                      last = std::min(at + span(level), address + size);
            for (u64 page = (first - address) / kPageSize; page < (last - address) / kPageSize;
                 ++page)
                bitmap[page / 8] |= static_cast<u8>(1u << page % 8);
        };
        const auto enter = [&](u64& entry, unsigned level, u64 at) {
            if (level != kDirectory || (format_.dirty != 0 && !format_.dirty_is_listed))
                return true;
            const bool marked = (entry & kDirty) != 0;
            if (marked && at >= address && at + span(level) <= address + size)
                std::atomic_ref(entry).fetch_and(~kDirty);
            return marked;
        };
        for_each_leaf(address, size, take, enter);
    }
    void dirty_stop(u64 address, u64 size) {
        for_each_leaf(address, size, [&](u64& entry, unsigned level, u64) {
            store(entry,
                  leaf(frame_of(entry), level, owner_protection(entry), entry & type_mask()));
        });
    }
    // A write to a page that the log watches: lets it through and marks it. A large page is split
    // first, so that only 4 KiB count as written (all of it, should there be no frame for the
    // split). False: the page is not watched. No flush needed: entries only gain access.
    bool dirty_note_write(u64 address) {
        for (;;) {
            unsigned level = 0;
            u64* entry = find_leaf(address, level);
            if (entry == nullptr || (owner_protection(*entry) & abi::kWrite) == 0 ||
                (*entry & kLogged) == 0)
                return false;
            if (level > 1 && (*entry & kDirty) == 0 && split(*entry, level)) {
                if (level == 2 && format_.dirty != 0)
                    watch_by_dirty_flags(frame_of(*entry));
                continue;
            }
            std::atomic_ref(*entry).fetch_or(format_.access(owner_protection(*entry)) | kDirty);
            dirty_mark(address);
            return true;
        }
    }
    // The CPU has listed a write to this page: the next harvest looks for it.
    void dirty_mark(u64 address) {
        Hpa table = *root_;
        for (unsigned level = kLevels;; --level) {
            u64& entry = memory_.entries(table)[index(address, level)];
            if (entry == 0 || (entry & kMapped) != 0)
                return;
            if (level == kDirectory) {
                std::atomic_ref(entry).fetch_or(kDirty);
                return;
            }
            table = frame_of(entry);
        }
    }

  private:
    static constexpr unsigned kLevels = 4, kDirectory = 2;
    static constexpr u64 kFrameMask = 0x000f'ffff'ffff'f000;
    static constexpr u64 kLarge = 1 << 7;
    static constexpr u64 kMapped = u64{1} << 52;
    static constexpr unsigned kProtectionShift = 53;
    // kDirty of a directory's entry: a page below it may be dirty.
    static constexpr u64 kDirty = u64{1} << 56, kLogged = u64{1} << 57;

    struct Fill {
        u64 start, end;
        Hpa target;  // of `start`
        u32 protection;
        MemoryType type;
    };

    static constexpr u64 span(unsigned level) { return u64{1} << (12 + 9 * (level - 1)); }
    static constexpr unsigned index(u64 address, unsigned level) {
        return static_cast<unsigned>(address >> (12 + 9 * (level - 1)) & 511);
    }
    static constexpr Hpa frame_of(u64 entry) { return {entry & kFrameMask}; }
    static constexpr u32 owner_protection(u64 entry) {
        return static_cast<u32>(entry >> kProtectionShift & 7);
    }
    u64 type_mask() const {
        return format_.memory_type_shift == 0 ? 0 : u64{7} << format_.memory_type_shift;
    }
    // Other CPUs' walkers read entries while they change.
    static void store(u64& entry, u64 value) {
        std::atomic_ref(entry).store(value, std::memory_order_release);
    }

    u64 leaf(Hpa frame, unsigned level, u32 protection, u64 type_bits) const {
        return frame.value | format_.access(protection) | type_bits | (level > 1 ? kLarge : 0) |
               kMapped | static_cast<u64>(protection) << kProtectionShift;
    }
    // As the dirty log watches it from here on, written to or not.
    u64 armed(u64 entry, unsigned level) const {
        entry = (entry | kLogged) & ~kDirty;
        if ((owner_protection(entry) & abi::kWrite) == 0)
            return entry;
        return level == 1 && format_.dirty != 0 ? (entry | format_.writable) & ~format_.dirty
                                                : entry & ~format_.writable;
    }
    // -> what it was, to the last write: the CPU sets its flag at any time.
    u64 arm(u64& entry, unsigned level) const {
        return std::atomic_ref(entry).exchange(armed(entry, level));
    }
    bool is_dirty(u64 entry, unsigned level) const {
        return (entry & kDirty) != 0 ||
               (level == 1 && (entry & kLogged) != 0 && (entry & format_.writable) != 0 &&
                (entry & format_.dirty) != 0);
    }
    // With another access; watched as before.
    void change(u64& entry, unsigned level, u32 protection) const {
        const u64 next = leaf(frame_of(entry), level, protection, entry & type_mask());
        if ((entry & kLogged) == 0)
            return store(entry, next);
        // Without access hardware has no bits there, a dirty flag least of all.
        const u64 watched = protection == abi::kNone ? next | kLogged : armed(next, level);
        const u64 before = std::atomic_ref(entry).exchange(watched);
        if (is_dirty(before, level))
            std::atomic_ref(entry).fetch_or(format_.access(protection) | kDirty);
    }
    void watch_by_dirty_flags(Hpa table) {
        u64* entries = memory_.entries(table);
        for (unsigned i = 0; i < 512; ++i)
            store(entries[i], armed(entries[i], 1));
    }
    bool can_be_leaf(unsigned level) const {
        return level <= 2 || (level == 3 && format_.large_1g);
    }

    static Status check_range(u64 address, u64 size) {
        if (!is_aligned(address | size, kPageSize) || size == 0 || size > kAddressLimit ||
            address > kAddressLimit - size)
            return fail(abi::Error::Invalid);
        return {};
    }

    Status fill_table(Hpa table, unsigned level, u64 base, const Fill& fill) {
        u64* entries = memory_.entries(table);
        const u64 start = std::max(base, fill.start);
        for (u64 at = align_down(start, span(level));
             at < fill.end && at < base + span(level) * 512; at += span(level)) {
            u64& entry = entries[index(at, level)];
            const Hpa target{fill.target.value + (at - fill.start)};
            const bool whole = at >= fill.start && at + span(level) <= fill.end;
            if ((entry == 0 || level == 1) && whole && can_be_leaf(level) &&
                is_aligned(target.value, span(level))) {
                store(entry, leaf(target, level, fill.protection, format_.memory_type(fill.type)));
                continue;
            }
            if (entry == 0) {
                const auto child = memory_.allocate();
                if (!child)
                    return fail(abi::Error::NoMemory);
                store(entry, child->value | format_.table);
            }
            HV_TRY(fill_table(frame_of(entry), level - 1, at, fill));
        }
        return {};
    }

    // Leaves that intersect the range: visit(entry, level, address of its first byte), in tables
    // that `enter` says yes to, with the same arguments.
    static constexpr auto kEnterAll = [](u64&, unsigned, u64) { return true; };
    template <class Visit, class Enter = decltype(kEnterAll)>
    void for_each_leaf(u64 address, u64 size, Visit visit, Enter enter = kEnterAll) {
        visit_table(*root_, kLevels, 0, address, address + size, visit, enter);
    }
    template <class Visit, class Enter>
    void visit_table(Hpa table, unsigned level, u64 base, u64 start, u64 end, Visit& visit,
                     Enter& enter) {
        const u64 step = span(level), stop = std::min(end, base + step * 512);
        u64 at = align_down(std::max(base, start), step);
        for (u64* entry = memory_.entries(table) + index(at, level); at < stop;
             at += step, ++entry) {
            if ((*entry & kMapped) != 0)
                visit(*entry, level, at);
            else if (*entry != 0 && level > 1 && enter(*entry, level, at))
                visit_table(frame_of(*entry), level - 1, at, start, end, visit, enter);
        }
    }

    u64* find_leaf(u64 address, unsigned& level) {
        Hpa table = *root_;
        for (level = kLevels; level != 0; --level) {
            u64& entry = memory_.entries(table)[index(address, level)];
            if ((entry & kMapped) != 0)
                return &entry;
            if (entry == 0)
                break;
            table = frame_of(entry);
        }
        return nullptr;
    }

    // Replaces a large leaf by a table of the same mapping.
    bool split(u64& entry, unsigned level) {
        const auto table = memory_.allocate();
        if (!table)
            return false;
        u64* entries = memory_.entries(*table);
        const u64 attributes = entry & ~kFrameMask & ~(level == 2 ? kLarge : 0);
        for (unsigned i = 0; i < 512; ++i)
            entries[i] = (frame_of(entry).value + i * span(level - 1)) | attributes;
        store(entry, table->value | format_.table | (entry & kDirty));
        return true;
    }
    // So that no leaf crosses either end of the range.
    Status split_edges(u64 address, u64 size) {
        for (const u64 edge : {address, address + size}) {
            for (;;) {
                unsigned level = 0;
                u64* entry = edge < kAddressLimit ? find_leaf(edge, level) : nullptr;
                if (entry == nullptr || is_aligned(edge, span(level)))
                    break;
                if (!split(*entry, level))
                    return fail(abi::Error::NoMemory);
            }
        }
        return {};
    }

    void free_table(Hpa table, unsigned level) {
        if (level > 1) {
            for (unsigned i = 0; i < 512; ++i) {
                const u64 entry = memory_.entries(table)[i];
                if (entry != 0 && (entry & kMapped) == 0)
                    free_table(frame_of(entry), level - 1);
            }
        }
        memory_.free(table);
    }

    const TableFormat& format_;
    Memory& memory_;
    std::optional<Hpa> root_;
    // Where `grant` was last: a table stays where it is once there is one.
    u64 granted_region_ = ~u64{0};
    u64* granted_table_ = nullptr;
    u64* overlay_ = nullptr;  // likewise
};

}  // namespace skep::hv
