// What differs between nested page tables (AMD) and EPT (Intel): the bits of an entry.
//
// Both are four levels of 512 64-bit entries with the frame in bits 51:12 and "large page" in
// bit 7. Bits that both leave to software (52..58 of a leaf, AMD; of any entry that is not present)
// carry hv's own record of the mapping, see second_level_table.hpp.
#pragma once

#include "hv/abi/hypercall.hpp"
#include "hv/lib/types.hpp"

namespace skep::hv {

enum class MemoryType : u8 {
    Uncacheable = 0,
    WriteThrough = 4,
    WriteBack = 6
};

struct TableFormat {
    u64 readable;  // a leaf that can be read
    u64 writable;
    u64 executable;                // set when it can be executed
    u64 not_executable;            // set when it cannot
    u64 leaf;                      // set in every present leaf: user, accessed, dirty
    u64 table;                     // set in every entry that points at a table
    u64 present;                   // any of these: the CPU uses the entry
    u8 memory_type_shift;          // 0: the type comes from the machine's MTRRs and PAT
    bool large_1g;                 // the CPU has 1 GiB pages at this level
    u64 dirty = 0;                 // set by the CPU at a write to the page; 0: it does not
    bool dirty_is_listed = false;  // and it lists the pages where it has done so

    constexpr u64 access(u32 protection) const {
        if (protection == abi::kNone)
            return 0;
        // Neither format can express memory that is written or executed but not read.
        return leaf | readable | ((protection & abi::kWrite) != 0 ? writable : 0) |
               ((protection & abi::kExecute) != 0 ? executable : not_executable);
    }
    constexpr u64 memory_type(MemoryType type) const {
        return memory_type_shift == 0 ? 0 : static_cast<u64>(type) << memory_type_shift;
    }
};

}  // namespace skep::hv
