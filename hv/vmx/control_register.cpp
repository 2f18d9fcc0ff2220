// Accesses to CR0 and CR4 that touch a bit which hv keeps (SDM vol. 3, 26.1.3, table 28-3).
//
// They are finished here, since only VMX has them. What the guest may not set takes #GP as on the
// processor itself (SDM vol. 2, MOV to control registers).
#include "hv/arch/registers.hpp"
#include "hv/vmx/vcpu.hpp"

namespace skep::hv::vmx {

namespace {

enum class Access : u8 {
    MovTo = 0,
    MovFrom = 1,
    Clts = 2,
    Lmsw = 3
};

bool cr0_is_valid(VmxVcpu& vcpu, u64 value) {
    if (value >> 32 != 0)
        return false;
    if ((value & cr0::kPg) != 0 && (value & cr0::kPe) == 0)
        return false;
    if ((value & cr0::kNw) != 0 && (value & cr0::kCd) == 0)
        return false;
    const bool turns_paging_on = (value & cr0::kPg) != 0 && (vcpu.guest_cr0() & cr0::kPg) == 0;
    if (turns_paging_on && (vcpu.read(abi::Field::Efer) & efer::kLme) != 0) {
        constexpr u64 kLongCode = 1 << 13;
        return (vcpu.guest_cr4() & cr4::kPae) != 0 &&
               (vcpu.read(abi::Field::CsAccess) & kLongCode) == 0;
    }
    // Long mode ends only through compatibility mode with PCIDs off.
    return (value & cr0::kPg) != 0 || (vcpu.guest_cr4() & cr4::kPcide) == 0;
}

}  // namespace

void finish_control_register_access(VmxVcpu& vcpu, u64 qualification) {
    const unsigned number = qualification & 0xf;
    const auto access = static_cast<Access>(qualification >> 4 & 3);
    const u64 source = vcpu.general_register(qualification >> 8 & 0xf);
    const u32 length = vmread(Field32::ExitInstructionLength);

    if (number == 0) {
        u64 value = vcpu.guest_cr0();
        if (access == Access::MovTo)
            value = source;
        else if (access == Access::Clts)
            value &= ~cr0::kTs;
        else if (access == Access::Lmsw)  // cannot clear PE
            value = (value & ~0xeull) | (qualification >> 16 & 0xf);
        if (!cr0_is_valid(vcpu, value))
            return vcpu.inject(Event::general_protection());
        const bool paging_changes = ((value ^ vcpu.guest_cr0()) & cr0::kPg) != 0;
        vcpu.set_cr0(value | cr0::kEt);
        if (paging_changes)
            vcpu.flush_tlb();
    } else {
        // CR4.VMXE or SMXE: neither VMX nor SMX exists in here.
        return vcpu.inject(Event::general_protection());
    }
    vcpu.advance(length);
}

}  // namespace skep::hv::vmx
