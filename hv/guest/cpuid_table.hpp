// The CPUID leaves of a VM, as its owner gave them, and what hv fills in at each execution.
#pragma once

#include "hv/abi/hypercall.hpp"
#include "hv/arch/instructions.hpp"
#include "hv/lib/result.hpp"

#include <array>
#include <span>

namespace skep::hv {

// What a CPUID result depends on beside the table.
struct CpuidState {
    u32 apic_id;
    u64 cr4, xcr0;
};
// Leaves whose result depends on it.
constexpr bool cpuid_depends_on_state(u32 leaf) {
    return leaf == 1 || leaf == 7 || leaf == 0xb || leaf == 0xd || leaf == 0x1f ||
           leaf == 0x8000'001e;
}

class CpuidTable {
  public:
    static constexpr unsigned kMaxEntries = 128;

    // Unsupported: an entry has a feature that hv cannot virtualize, or that this CPU lacks
    // (`host(leaf, subleaf)` tells). Invalid: too many entries, or one twice.
    using HostCpuid = CpuidResult (*)(u32 leaf, u32 subleaf);
    Status set(std::span<const abi::CpuidEntry> entries, HostCpuid host);

    CpuidResult get(u32 leaf, u32 subleaf, const CpuidState& state) const;

    // Has the table bit `bit` of EAX..EDX (0..3) of this leaf?
    bool has(u32 leaf, unsigned output, unsigned bit) const;

    // nullptr: reads as zero.
    const abi::CpuidEntry* find(u32 leaf, u32 subleaf) const;

  private:
    // Which index of `first_` a leaf has, if any.
    struct Slot {
        u32 range, index;
    };
    static constexpr Slot slot_of(u32 leaf) {
        const u32 range = leaf < 0x20                 ? 0
                          : leaf - 0x4000'0000 < 0x20 ? 1
                          : leaf - 0x8000'0000 < 0x20 ? 2
                                                      : 3;
        return {range, leaf & 0x1f};
    }

    // Sorted by leaf and subleaf; `first_` finds a leaf below 32 of each range without a search.
    std::array<abi::CpuidEntry, kMaxEntries> entries_{};
    u8 count_ = 0;
    std::array<std::array<u8, 32>, 3> first_{};
};

inline const abi::CpuidEntry* CpuidTable::find(u32 leaf, u32 subleaf) const {
    constexpr u32 kSubleafMatters = 1;
    const Slot slot = slot_of(leaf);
    if (slot.range >= first_.size())
        return nullptr;
    for (unsigned i = first_[slot.range][slot.index]; i < count_ && entries_[i].leaf == leaf; ++i) {
        if ((entries_[i].flags & kSubleafMatters) == 0 || entries_[i].subleaf == subleaf)
            return &entries_[i];
    }
    return nullptr;
}

// Bits that a guest may have in `output` (0..3: EAX..EDX) of a leaf on this CPU.
u32 cpuid_allowed(u32 leaf, u32 subleaf, unsigned output, CpuidTable::HostCpuid host);

// What a table that offers as much as possible has there.
CpuidResult cpuid_supported(u32 leaf, u32 subleaf, CpuidTable::HostCpuid host);

}  // namespace skep::hv
