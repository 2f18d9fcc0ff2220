// The memory type of physical addresses, as the firmware has set the MTRRs. With EPT the
// hypervisor's tables replace the MTRRs (SDM vol. 3, 29.3.7); nested paging keeps using them.
#pragma once

#include "hv/memory/table_format.hpp"

namespace skep::hv {

struct TypedRange {
    u64 end;
    MemoryType type;
};

// The type at `address`, and up to where it is the same; a multiple of 4 KiB, at most `limit`.
TypedRange memory_type_at(u64 address, u64 limit);

}  // namespace skep::hv
