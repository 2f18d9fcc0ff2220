#include <kernel/mm/page_table.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel {

namespace {

constexpr unsigned index_at(std::uint64_t address, int level) {
    return address >> (12 + 9 * (level - 1)) & 511;
}

}  // namespace

Pte* PageTable::find_or_gap(std::uint64_t address, int& level) const {
    Pte* table = static_cast<Pte*>(direct_map(root_));
    for (level = 4;; level--) {
        Pte& entry = table[index_at(address, level)];
        if (level == 1 || (entry.present() && entry.large()))
            return &entry;
        if (!entry.present())
            return nullptr;
        table = table_of(entry);
    }
}

Pte* PageTable::find(std::uint64_t address, int* level_out) const {
    int level;
    Pte* pte = find_or_gap(address, level);
    if (level_out)
        *level_out = level;
    return pte;
}

Result<Pte*> PageTable::make(std::uint64_t address, int wanted) {
    Pte* table = static_cast<Pte*>(direct_map(root_));
    for (int level = 4; level > wanted; level--) {
        Pte& entry = table[index_at(address, level)];
        if (!entry.present()) {
            const PhysAddr frame = SKEP_TRY(allocate_frames(0));
            std::memset(direct_map(frame), 0, kPageSize);
            entry.value = frame.value | Pte::kPresent | Pte::kWrite | Pte::kUser;
        } else if (entry.large()) {
            return fail(Errno::Exist);
        }
        table = table_of(entry);
    }
    return &table[index_at(address, wanted)];
}

// -> whether the table that `entry` (at `level`, serving addresses from `base`) names was freed.
bool PageTable::free_below(Pte& entry, int level, std::uint64_t base, std::uint64_t start,
                           std::uint64_t end) {
    Pte* table = table_of(entry);
    const std::uint64_t step = level_size(level - 1);
    bool used = false;
    for (unsigned i = 0; i < 512; i++) {
        Pte& below = table[i];
        if (!below.mapped())
            continue;
        const std::uint64_t address = base + i * step;
        if (level > 2 && !below.large() && address < end && address + step > start &&
            free_below(below, level - 1, address, start, end))
            continue;
        used = true;
    }
    if (used || base < start || base + level_size(level) > end)
        return false;
    free_frames(entry.address(), 0);
    entry.value = 0;
    return true;
}

void PageTable::free_tables(std::uint64_t start, std::uint64_t end) {
    Pte* top = static_cast<Pte*>(direct_map(root_));
    const std::uint64_t size = level_size(4);
    for (std::uint64_t base = start & ~(size - 1); base < end; base += size)
        if (Pte& entry = top[index_at(base, 4)]; entry.present())
            free_below(entry, 4, base, start, end);
}

}  // namespace skep::kernel
