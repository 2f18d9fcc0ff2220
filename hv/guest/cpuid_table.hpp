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
// Leaves that need more of it than the APIC id; for the others it need not be filled.
constexpr bool cpuid_needs_state(u32 leaf) {
    return leaf == 1 || leaf == 7 || leaf == 0xd;
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

  private:
    const abi::CpuidEntry* find(u32 leaf, u32 subleaf) const;

    // Sorted by leaf and subleaf; `first_` finds a leaf below 32 of each range without a search.
    std::array<abi::CpuidEntry, kMaxEntries> entries_{};
    u8 count_ = 0;
    std::array<std::array<u8, 32>, 3> first_{};
};

// Bits that a guest may have in `output` (0..3: EAX..EDX) of a leaf on this CPU.
u32 cpuid_allowed(u32 leaf, u32 subleaf, unsigned output, CpuidTable::HostCpuid host);

// What a table that offers as much as possible has there.
CpuidResult cpuid_supported(u32 leaf, u32 subleaf, CpuidTable::HostCpuid host);

}  // namespace skep::hv
