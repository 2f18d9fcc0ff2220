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

// Those of which a register counts while it is loaded.
u64 VmxVcpu::read_unswitched(Field field) const {
    const bool live = is_loaded();
    switch (field) {
        case Field::Cr2:
            return live ? read_cr2() : cr2_;
        case Field::Dr6:
            return live ? read_dr6() : dr6_;
        case Field::KernelGsBase:
            return live ? read_msr(msr::kKernelGsBase) : kernel_gs_base_;
        case Field::Star:
            return syscall_.star;
        case Field::Lstar:
            return syscall_.lstar;
        case Field::Cstar:
            return syscall_.cstar;
        case Field::Fmask:
            return syscall_.fmask;
        default:
            panic("vmx: field {} is not the hardware's", index(field));
    }
}

bool VmxVcpu::write_unswitched(Field field, u64 value) {
    const auto store_msr = [this, value](u64& copy, u32 number) {
        copy = value;
        if (is_loaded())
            write_msr(number, value);
        return true;
    };
    switch (field) {
        case Field::Cr2:
            cr2_ = value;
            if (is_loaded())
                write_cr2(value);
            return true;
        case Field::Dr6:
            dr6_ = value;
            if (is_loaded())
                write_dr6(value);
            return true;
        case Field::KernelGsBase:
            return store_msr(kernel_gs_base_, msr::kKernelGsBase);
        case Field::Star:
            return store_msr(syscall_.star, msr::kStar);
        case Field::Lstar:
            return store_msr(syscall_.lstar, msr::kLstar);
        case Field::Cstar:
            return store_msr(syscall_.cstar, msr::kCstar);
        case Field::Fmask:
            return store_msr(syscall_.fmask, msr::kFmask);
        default:
            return false;
    }
}

u64 VmxVcpu::read(Field field) const {
    if (is_segment(field))
        return read_segment(field);
    if (field == Field::Rsp)
        return vmread(FieldNatural::GuestRsp);
    if (field <= Field::R15)
        return (&general.rax)[index(field)];
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
            return read_unswitched(field);
    }
}

void VmxVcpu::describe(abi::VcpuPage& page) const {
    copy_words(&page.general.rax, &general.rax, sizeof general / sizeof(u64));
    vmread(FieldNatural::GuestRsp, page.general.rsp);
    vmread(FieldNatural::GuestRip, page.rip);
    vmread(FieldNatural::GuestRflags, page.rflags);
}

void VmxVcpu::describe_paging(abi::VcpuPage& page) const {
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
    if (write_unswitched(field, value))
        return;
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
