// The state fields of hv/abi as the VMCS has them.
#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/lib/panic.hpp"
#include "hv/vmx/vcpu.hpp"

namespace skep::hv::vmx {

using abi::Field;

namespace {

constexpr u32 index(Field field) {
    return static_cast<u32>(field);
}
constexpr bool is_segment(Field field) {
    return field >= Field::EsSelector && field <= Field::TrAccess;
}
// ES, CS, SS, DS, FS, GS, LDTR, TR: the same order in both.
constexpr unsigned segment(Field field) {
    return (index(field) - index(Field::EsSelector)) / 4;
}
enum Part : unsigned {
    kSelector,
    kBase,
    kLimit,
    kAccess
};
constexpr unsigned part(Field field) {
    return (index(field) - index(Field::EsSelector)) % 4;
}

u64 read_segment(Field field) {
    const unsigned n = segment(field);
    switch (part(field)) {
        case kSelector:
            return vmread(stepped(Field16::GuestEsSelector, n));
        case kBase:
            return vmread(stepped(FieldNatural::GuestEsBase, n));
        case kLimit:
            return vmread(stepped(Field32::GuestEsLimit, n));
        default:
            return vmread(stepped(Field32::GuestEsAccessRights, n));
    }
}

void write_segment(Field field, u64 value) {
    const unsigned n = segment(field);
    switch (part(field)) {
        case kSelector:
            return vmwrite(stepped(Field16::GuestEsSelector, n), static_cast<u16>(value));
        case kBase:
            return vmwrite(stepped(FieldNatural::GuestEsBase, n), value);
        case kLimit:
            return vmwrite(stepped(Field32::GuestEsLimit, n), static_cast<u32>(value));
        default:
            return vmwrite(stepped(Field32::GuestEsAccessRights, n), static_cast<u32>(value));
    }
}

}  // namespace

// The fields of `mine_`, for which the register counts while it is loaded.
u64* VmxVcpu::unswitched(Field field) {
    switch (field) {
        case Field::Cr2:
            return &mine_.cr2;
        case Field::Dr6:
            return &mine_.dr6;
        case Field::Star:
            return &mine_.star;
        case Field::Lstar:
            return &mine_.lstar;
        case Field::Cstar:
            return &mine_.cstar;
        case Field::Fmask:
            return &mine_.fmask;
        case Field::KernelGsBase:
            return &mine_.kernel_gs_base;
        default:
            return nullptr;
    }
}

u64 VmxVcpu::read(Field field) const {
    if (is_segment(field))
        return read_segment(field);
    if (field == Field::Rsp)
        return vmread(FieldNatural::GuestRsp);
    if (field <= Field::R15)
        return (&general.rax)[index(field)];
    if (const u64* at = const_cast<VmxVcpu*>(this)->unswitched(field)) {
        if (switched_in_)
            const_cast<VmxVcpu*>(this)->mine_.save();
        return *at;
    }
    switch (field) {
        case Field::Rip:
            return rip();
        case Field::Rflags:
            return rflags();
        case Field::Cr0:
            return guest_cr0();
        case Field::Cr3:
            return vmread(FieldNatural::GuestCr3);
        case Field::Cr4:
            return guest_cr4();
        case Field::Efer:
            return vmread(Field64::GuestIa32Efer);
        case Field::Dr7:
            return vmread(FieldNatural::GuestDr7);
        case Field::GdtrBase:
            return vmread(FieldNatural::GuestGdtrBase);
        case Field::GdtrLimit:
            return vmread(Field32::GuestGdtrLimit);
        case Field::IdtrBase:
            return vmread(FieldNatural::GuestIdtrBase);
        case Field::IdtrLimit:
            return vmread(Field32::GuestIdtrLimit);
        case Field::SysenterCs:
            return vmread(Field32::GuestSysenterCs);
        case Field::SysenterEsp:
            return vmread(FieldNatural::GuestSysenterEsp);
        case Field::SysenterEip:
            return vmread(FieldNatural::GuestSysenterEip);
        case Field::Pat:
            return vmread(Field64::GuestIa32Pat);
        case Field::Interruptibility:
            return interruptibility();
        default:
            panic("vmx: field {} is not the hardware's", index(field));
    }
}

void VmxVcpu::describe(abi::VcpuPage& page) const {
    page.general = general;
    page.general.rsp = vmread(FieldNatural::GuestRsp);
    page.rip = rip();
    page.rflags = rflags();
    page.cr0 = guest_cr0();
    page.cr3 = vmread(FieldNatural::GuestCr3);
    page.cr4 = guest_cr4();
    page.efer = vmread(Field64::GuestIa32Efer);
    for (unsigned i = 0; i < 6; ++i)
        page.segment_base[i] = vmread(stepped(FieldNatural::GuestEsBase, i));
    page.cs_access_rights = vmread(stepped(Field32::GuestEsAccessRights, 1));
    page.cpl = cpl();
}

void VmxVcpu::write(Field field, u64 value) {
    if (is_segment(field))
        return write_segment(field, value);
    if (field == Field::Rsp)
        return vmwrite(FieldNatural::GuestRsp, value);
    if (field <= Field::R15) {
        (&general.rax)[index(field)] = value;
        return;
    }
    if (u64* at = unswitched(field)) {
        if (switched_in_)
            mine_.save();
        *at = value;
        if (switched_in_)
            mine_.load();
        return;
    }
    switch (field) {
        case Field::Rip:
            return vmwrite(FieldNatural::GuestRip, value);
        case Field::Rflags:
            return vmwrite(FieldNatural::GuestRflags, value);
        case Field::Cr0:
            return set_cr0(value);
        case Field::Cr3:
            vmwrite(FieldNatural::GuestCr3, value);
            return update_long_mode();
        case Field::Cr4:
            return set_cr4(value);
        case Field::Efer:
            vmwrite(Field64::GuestIa32Efer, value);
            return update_long_mode();
        case Field::Dr7:
            return vmwrite(FieldNatural::GuestDr7, value);
        case Field::GdtrBase:
            return vmwrite(FieldNatural::GuestGdtrBase, value);
        case Field::GdtrLimit:
            return vmwrite(Field32::GuestGdtrLimit, static_cast<u32>(value));
        case Field::IdtrBase:
            return vmwrite(FieldNatural::GuestIdtrBase, value);
        case Field::IdtrLimit:
            return vmwrite(Field32::GuestIdtrLimit, static_cast<u32>(value));
        case Field::SysenterCs:
            return vmwrite(Field32::GuestSysenterCs, static_cast<u32>(value));
        case Field::SysenterEsp:
            return vmwrite(FieldNatural::GuestSysenterEsp, value);
        case Field::SysenterEip:
            return vmwrite(FieldNatural::GuestSysenterEip, value);
        case Field::Pat:
            return vmwrite(Field64::GuestIa32Pat, value);
        case Field::Interruptibility:
            return vmwrite(Field32::GuestInterruptibilityState, static_cast<u32>(value) & 0xb);
        default:
            panic("vmx: field {} is not the hardware's", index(field));
    }
}

}  // namespace skep::hv::vmx
