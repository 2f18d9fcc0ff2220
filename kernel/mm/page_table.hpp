// Four-level page tables, SDM vol. 3, 4.5. Hardware-free: tables are reached through direct_map().
#pragma once

#include <kernel/mm/physical.hpp>

#include <cstdint>

namespace skep::kernel {

class Pte {
  public:
    static constexpr std::uint64_t kPresent = 1, kWrite = 2, kUser = 4, kWriteThrough = 8,
                                   kCacheDisable = 16, kAccessed = 32, kDirty = 64, kLarge = 128,
                                   kGlobal = 256;
    // In an entry of 4 KiB: the memory type of PAT entry 4, which is write-combining on every CPU
    // (init_this_cpu).
    static constexpr std::uint64_t kPat = 128;
    // Available to software: the frame is not a counted page (device memory, large guest memory).
    static constexpr std::uint64_t kUncounted = 1ull << 9;
    // Available to software, in an entry that is not present: the page is kept but nobody may
    // access it.
    static constexpr std::uint64_t kHidden = 1ull << 10;
    static constexpr std::uint64_t kNoExecute = 1ull << 63;
    static constexpr std::uint64_t kAddressMask = 0x000f'ffff'ffff'f000;

    std::uint64_t value = 0;
    bool present() const { return value & kPresent; }
    bool hidden() const { return (value & (kPresent | kHidden)) == kHidden; }
    bool mapped() const { return present() || hidden(); }
    bool writable() const { return value & kWrite; }
    bool large() const { return value & kLarge; }
    bool counted() const { return !(value & kUncounted); }
    PhysAddr address() const { return {value & kAddressMask}; }
};

class PageTable {
  public:
    PageTable() = default;
    explicit PageTable(PhysAddr root) : root_(root) {}
    PhysAddr root() const { return root_; }

    // The entry that maps `address` at `level` (1 = 4 KiB, 2 = 2 MiB, 3 = 1 GiB), or the large
    // entry above it that does; null if there is no table. `level_out` says which it is.
    Pte* find(std::uint64_t address, int* level_out = nullptr) const;
    // The entry at exactly `level`, its tables made as needed. Errors: NoMem; Exist if a larger
    // page is there.
    Result<Pte*> make(std::uint64_t address, int level);

    // Calls visit(address, Pte&, level) for each mapped leaf in [start, end); end 0 is the end of
    // all addresses. Tables that are absent are skipped in one step.
    template <typename Visit>
    void for_each(std::uint64_t start, std::uint64_t end, Visit visit) const {
        visit_table(static_cast<Pte*>(direct_map(root_)), 4, start, end - 1, visit);
    }
    // Frees the tables (not the leaves) that serve [0, end), a multiple of what a top-level entry
    // maps; no leaf is mapped there.
    void free_tables(std::uint64_t end);

    static constexpr std::uint64_t level_size(int level) {
        return std::uint64_t{kPageSize} << 9 * (level - 1);
    }

  private:
    static constexpr unsigned index_at(std::uint64_t address, int level) {
        return address >> (12 + 9 * (level - 1)) & 511;
    }
    static void free_below(Pte& entry, int level);
    static Pte* table_of(Pte entry) { return static_cast<Pte*>(direct_map(entry.address())); }

    // Both ends are in what the table maps.
    template <typename Visit>
    static void visit_table(Pte* table, int level, std::uint64_t first, std::uint64_t last,
                            Visit& visit) {
        const std::uint64_t size = level_size(level), step = size - 1;
        std::uint64_t base = first & ~step;
        const Pte* const end = table + index_at(last, level);
        for (Pte* entry = table + index_at(first, level); entry <= end; entry++, base += size) {
            if (entry->value == 0)
                continue;
            if (level > 1 && entry->present() && !entry->large())
                visit_table(table_of(*entry), level - 1, base > first ? base : first,
                            base + step < last ? base + step : last, visit);
            else if (entry->mapped())
                visit(base, *entry, level);
        }
    }

    PhysAddr root_;
};

}  // namespace skep::kernel
