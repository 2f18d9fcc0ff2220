// State fields in the VMCB.
#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/svm/vcpu.hpp"

namespace skep::hv::svm {

using abi::Field;

namespace {

constexpr u32 number(Field field) {
    return static_cast<u32>(field);
}

// Access rights, SDM vol. 3, table 25-2, and segment attributes, APM vol. 2, 15.5.1: bits 7:0 are
// the same; 15:12 are 11:8 there; "unusable" is "not present".
constexpr u64 kUnusable = 1 << 16, kPresent = 1 << 7;

constexpr u16 to_attributes(u64 access) {
    if ((access & kUnusable) != 0)
        return 0;
    return static_cast<u16>((access & 0xff) | (access >> 4 & 0xf00));
}
constexpr u64 to_access(u64 attributes) {
    return (attributes & 0xff) | (attributes & 0xf00) << 4 |
           ((attributes & kPresent) == 0 ? kUnusable : 0);
}

constexpr unsigned kDplShift = 5;

}  // namespace

u64* SvmVcpu::plain(Field field) const {
    Vmcb& v = *vmcb_;
    switch (field) {
        case Field::Rax:
            return &v.rax;
        case Field::Rsp:
            return &v.rsp;
        case Field::Rip:
            return &v.rip;
        case Field::Rflags:
            return &v.rflags;
        case Field::Cr0:
            return &v.cr0;
        case Field::Cr2:
            return &v.cr2;
        case Field::Cr3:
            return &v.cr3;
        case Field::Cr4:
            return &v.cr4;
        case Field::Efer:
            return &v.efer;
        case Field::Dr6:
            return &v.dr6;
        case Field::Dr7:
            return &v.dr7;
        case Field::GdtrBase:
            return &v.gdtr.base;
        case Field::IdtrBase:
            return &v.idtr.base;
        case Field::Star:
            return &v.star;
        case Field::Lstar:
            return &v.lstar;
        case Field::Cstar:
            return &v.cstar;
        case Field::Fmask:
            return &v.sfmask;
        case Field::KernelGsBase:
            return &v.kernel_gs_base;
        case Field::SysenterCs:
            return &v.sysenter_cs;
        case Field::SysenterEsp:
            return &v.sysenter_esp;
        case Field::SysenterEip:
            return &v.sysenter_eip;
        case Field::Pat:
            return &v.g_pat;
        default:
            return nullptr;
    }
}

Segment* SvmVcpu::segment(Field field) const {
    Vmcb& v = *vmcb_;
    Segment* const segments[] = {&v.es, &v.cs, &v.ss, &v.ds, &v.fs, &v.gs, &v.ldtr, &v.tr};
    const u32 index = (number(field) - number(Field::EsSelector)) / 4;
    return index < 8 ? segments[index] : nullptr;
}

u64 SvmVcpu::read(Field field) const {
    if (const u64* value = plain(field))
        return field == Field::Efer ? *value & ~efer::kSvme : *value;
    switch (field) {
        case Field::GdtrLimit:
            return vmcb_->gdtr.limit;
        case Field::IdtrLimit:
            return vmcb_->idtr.limit;
        case Field::Interruptibility:
            return interruptibility();
        default:
            break;
    }
    const Segment* s = segment(field);
    if (s == nullptr)
        return 0;
    switch (number(field) & 3) {
        case 0:
            return s->selector;
        case 1:
            return s->base;
        case 2:
            return s->limit;
        default: {
            u64 access = to_access(s->attributes);
            // The CPL is what counts; SVM does not keep SS.DPL equal to it.
            if (s == &vmcb_->ss)
                access = (access & ~u64{3 << kDplShift}) | static_cast<u64>(vmcb_->cpl)
                                                               << kDplShift;
            return access;
        }
    }
}

void SvmVcpu::describe(abi::VcpuPage& page) const {
    const Vmcb& v = *vmcb_;
    copy_words(&page.general.rax, &general.rax, sizeof general / sizeof(u64));
    page.general.rsp = v.rsp;
    page.rip = v.rip;
    page.rflags = v.rflags;
}

void SvmVcpu::describe_paging(abi::VcpuPage& page) const {
    const Vmcb& v = *vmcb_;
    page.cr0 = v.cr0;
    page.cr3 = v.cr3;
    page.cr4 = v.cr4;
    page.efer = v.efer & ~efer::kSvme;
    page.segment_base[0] = v.es.base;
    page.segment_base[1] = v.cs.base;
    page.segment_base[2] = v.ss.base;
    page.segment_base[3] = v.ds.base;
    page.segment_base[4] = v.fs.base;
    page.segment_base[5] = v.gs.base;
    page.cs_access_rights = static_cast<u32>(to_access(v.cs.attributes));
    page.cpl = v.cpl;
}

void SvmVcpu::write(Field field, u64 value) {
    if (u64* target = plain(field)) {
        if (field == Field::Efer)
            value |= efer::kSvme;
        // With caching off in the guest's CR0 the CPU would run it uncached (APM vol. 2, 15.25.10).
        if (field == Field::Cr0 && role_ == Role::Guest)
            value &= ~(cr0::kCd | cr0::kNw);
        *target = value;
        return;
    }
    switch (field) {
        case Field::GdtrLimit:
            vmcb_->gdtr.limit = static_cast<u32>(value);
            return;
        case Field::IdtrLimit:
            vmcb_->idtr.limit = static_cast<u32>(value);
            return;
        case Field::Interruptibility:
            vmcb_->interrupt_shadow = (value & 3) != 0;
            nmi_ = (value & 8) != 0 ? NmiMask::Blocked : NmiMask::Open;
            if (nmi_ == NmiMask::Blocked)
                vmcb_->intercept1 |= intercept1::kIret;
            else
                vmcb_->intercept1 &= ~intercept1::kIret;
            return;
        default:
            break;
    }
    Segment* s = segment(field);
    if (s == nullptr)
        return;
    switch (number(field) & 3) {
        case 0:
            s->selector = static_cast<u16>(value);
            return;
        case 1:
            s->base = value;
            return;
        case 2:
            s->limit = static_cast<u32>(value);
            return;
        default:
            s->attributes = to_attributes(value);
            if (s == &vmcb_->ss)
                vmcb_->cpl = static_cast<u8>(value >> kDplShift & 3);
            return;
    }
}

}  // namespace skep::hv::svm
