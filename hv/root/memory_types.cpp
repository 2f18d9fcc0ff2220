#include "hv/root/memory_types.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/cpu/backend.hpp"
#include "hv/guest/checks.hpp"

#include <algorithm>

namespace skep::hv {

namespace {

constexpr u64 kMegabyte = 1 << 20;

struct FixedRange {
    u32 msr;
    u64 base, granularity;
};
// SDM vol. 3, table 12-9: eight types per MSR.
constexpr FixedRange kFixed[] = {
    {0x250, 0x00000, 0x10000}, {0x258, 0x80000, 0x4000}, {0x259, 0xa0000, 0x4000},
    {0x268, 0xc0000, 0x1000},  {0x269, 0xc8000, 0x1000}, {0x26a, 0xd0000, 0x1000},
    {0x26b, 0xd8000, 0x1000},  {0x26c, 0xe0000, 0x1000}, {0x26d, 0xe8000, 0x1000},
    {0x26e, 0xf0000, 0x1000},  {0x26f, 0xf8000, 0x1000},
};

constexpr u64 kDefTypeEnable = 1 << 11, kDefTypeFixedEnable = 1 << 10, kMaskValid = 1 << 11;

MemoryType to_type(u64 value) {
    switch (value & 0xff) {
        case 6:
            return MemoryType::WriteBack;
        case 4:
            return MemoryType::WriteThrough;
        default:
            return MemoryType::Uncacheable;
    }
}

TypedRange fixed_type(u64 address) {
    for (const FixedRange& range : kFixed) {
        const u64 index = (address - range.base) / range.granularity;
        if (address >= range.base && index < 8)
            return {range.base + (index + 1) * range.granularity,
                    to_type(read_msr(range.msr) >> index * 8)};
    }
    return {kMegabyte, MemoryType::Uncacheable};
}

}  // namespace

TypedRange memory_type_at(u64 address, u64 limit) {
    const u64 def_type = read_msr(msr::kMtrrDefType);
    if (backend().table_format().memory_type_shift == 0 || (def_type & kDefTypeEnable) == 0)
        return {limit, backend().table_format().memory_type_shift == 0 ? MemoryType::WriteBack
                                                                       : MemoryType::Uncacheable};
    if (address < kMegabyte && (def_type & kDefTypeFixedEnable) != 0)
        return fixed_type(address);

    // Of overlapping ranges uncacheable wins, then write-through (SDM vol. 3, 12.11.4.1). Ranges
    // are contiguous powers of two, as firmware sets them.
    u64 end = limit;
    bool covered = false;
    MemoryType type = MemoryType::WriteBack;
    const u64 count = read_msr(msr::kMtrrCap) & 0xff;
    for (u32 i = 0; i < count; ++i) {
        const u64 base = read_msr(msr::kMtrrPhysBase0 + 2 * i);
        const u64 mask = read_msr(msr::kMtrrPhysBase0 + 2 * i + 1);
        if ((mask & kMaskValid) == 0)
            continue;
        const u64 start = base & address_mask() & ~u64{0xfff};
        const u64 size = (~(mask & ~u64{0xfff}) & address_mask()) + 1;
        if (address >= start && address - start < size) {
            end = std::min(end, start + size);
            covered = true;
            if (static_cast<u8>(to_type(base)) < static_cast<u8>(type))
                type = to_type(base);
        } else if (start > address) {
            end = std::min(end, start);
        }
    }
    return {end, covered ? type : to_type(def_type)};
}

}  // namespace skep::hv
