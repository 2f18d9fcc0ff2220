#include <kernel/mm/page_table.hpp>

#include <cstring>

namespace skep::kernel {

Pte* PageTable::find(std::uint64_t address, int* level_out) const {
    Pte* table = static_cast<Pte*>(direct_map(root_));
    for (int level = 4;; level--) {
        Pte& entry = table[index_at(address, level)];
        const bool leaf = level == 1 || (entry.present() && entry.large());
        if (!leaf && entry.present()) {
            table = table_of(entry);
            continue;
        }
        if (level_out)
            *level_out = level;
        return leaf ? &entry : nullptr;
    }
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

void PageTable::free_below(Pte& entry, int level) {
    if (level > 2) {
        Pte* table = table_of(entry);
        for (unsigned i = 0; i < 512; i++)
            if (table[i].present())
                free_below(table[i], level - 1);
    }
    free_frames(entry.address(), 0);
    entry.value = 0;
}

void PageTable::free_tables(std::uint64_t end) {
    Pte* top = static_cast<Pte*>(direct_map(root_));
    for (unsigned i = 0; i < end / level_size(4); i++)
        if (top[i].present())
            free_below(top[i], 4);
}

}  // namespace skep::kernel
