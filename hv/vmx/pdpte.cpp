// The four page-directory-pointer-table entries of PAE paging, which an entry takes from the VMCS,
// where a change of state (not of CR3 by the guest itself, which the CPU follows) has to put them.
#include "hv/memory/frame_pool.hpp"
#include "hv/memory/layout.hpp"
#include "hv/vmx/ept.hpp"
#include "hv/vmx/vcpu.hpp"

#include <optional>

namespace skep::hv::vmx {

namespace {

// Reads what the CPU itself would read: the guest's own EPT, which is on frames of the pool.
std::optional<Hpa> translate(Hpa tables, Gpa address) {
    constexpr u64 kLarge = 1 << 7, kFrame = 0x000f'ffff'ffff'f000;
    Hpa table = tables;
    for (unsigned shift = 39;; shift -= 9) {
        const u64 entry = static_cast<const u64*>(pool().at(table))[address.value >> shift & 511];
        if ((entry & ept::kRead) == 0)
            return std::nullopt;
        if (shift == 12 || (entry & kLarge) != 0) {
            const u64 offset = address.value & ((u64{1} << shift) - 1);
            return Hpa{(entry & kFrame & ~((u64{1} << shift) - 1)) + offset};
        }
        table = Hpa{entry & kFrame};
    }
}

}  // namespace

void VmxVcpu::load_pdptes() {
    const Gpa table{vmread(FieldNatural::GuestCr3) & 0xffff'ffe0};
    const auto at = translate(frames_.tables, table);
    for (unsigned i = 0; i < 4; ++i) {
        // Not present where there is no memory: the guest's first access then takes its page fault.
        const u64 entry = at ? direct<u64>(*at)[i] : 0;
        vmwrite(stepped(Field64::GuestPdpte0, i), (entry & 1) != 0 ? entry : 0);
    }
}

}  // namespace skep::hv::vmx
