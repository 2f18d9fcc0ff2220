#include "hv/guest/vcpu.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/memory/layout.hpp"

namespace skep::hv {

namespace {

using abi::Field;

Field step(Field field, unsigned by) {
    return static_cast<Field>(static_cast<u32>(field) + by);
}

// Selector, base, limit, access rights.
void write_segment(HardwareVcpu& hardware, Field first, u64 selector, u64 base, u64 limit,
                   u64 access) {
    hardware.write(first, selector);
    hardware.write(step(first, 1), base);
    hardware.write(step(first, 2), limit);
    hardware.write(step(first, 3), access);
}

constexpr u64 kDataAccess = 0x93, kCodeAccess = 0x9b, kLdtAccess = 0x82, kTssAccess = 0x8b;
constexpr u64 kPatReset = 0x0007'0406'0007'0406;
constexpr u64 kFamilyModel = 0x600;  // in RDX after RESET

}  // namespace

Result<Vcpu*> Vcpu::create(Vm& vm, u32 index) {
    Vcpu* vcpu = pool().create<Vcpu>(vm, index);
    if (vcpu == nullptr)
        return fail(abi::Error::NoMemory);
    const auto hardware = backend().create_vcpu(
        {vm.tables.root(), physical(&vcpu->apic_.page()), physical(&vcpu->apic_.mailbox())});
    if (!hardware) {
        pool().destroy(vcpu);
        return fail(hardware.error());
    }
    vcpu->hardware_ = *hardware;
    vcpu->hardware_->cpuid_handler = vcpu;
    return vcpu;
}

void Vcpu::destroy(Vcpu* vcpu) {
    backend().destroy_vcpu(vcpu->hardware_);
    pool().destroy(vcpu);
}

void Vcpu::start(Hpa page) {
    page_ = direct<abi::VcpuPage>(page);
    apic_.reset(index_);
    reset(true);
    activity_ = index_ == 0 ? Activity::Active : Activity::WaitForSipi;
    tsc_adjust_ = 0;
    set_guest_tsc(0);
}

// SDM vol. 3, table 10-1. INIT keeps the FPU, the APIC's identity, the TSC and most MSRs.
void Vcpu::reset(bool power_up) {
    for (u32 i = 0; i < 16; ++i)
        set_general(i, 0);
    set_general(2, kFamilyModel);
    HardwareVcpu& hw = *hardware_;
    hw.write(Field::Rip, 0xfff0);
    hw.write(Field::Rflags, rflags::kReserved1);
    write_segment(hw, Field::CsSelector, 0xf000, 0xffff'0000, 0xffff, kCodeAccess);
    for (const Field field : {Field::EsSelector, Field::SsSelector, Field::DsSelector,
                              Field::FsSelector, Field::GsSelector})
        write_segment(hw, field, 0, 0, 0xffff, kDataAccess);
    write_segment(hw, Field::LdtrSelector, 0, 0, 0xffff, kLdtAccess);
    write_segment(hw, Field::TrSelector, 0, 0, 0xffff, kTssAccess);
    hw.write(Field::GdtrBase, 0);
    hw.write(Field::GdtrLimit, 0xffff);
    hw.write(Field::IdtrBase, 0);
    hw.write(Field::IdtrLimit, 0xffff);
    hw.write(Field::Efer, 0);
    hw.write(Field::Cr0, cr0::kCd | cr0::kNw | cr0::kEt);
    hw.write(Field::Cr2, 0);
    hw.write(Field::Cr3, 0);
    hw.write(Field::Cr4, 0);
    hw.write(Field::Dr6, 0xffff'0ff0);
    hw.write(Field::Dr7, 0x400);
    hw.write(Field::Interruptibility, 0);
    dr_ = {};
    debug_in_use_ = false;
    hw.intercept_debug_registers(true);
    pending_event_ = {};
    hw.inject(pending_event_);
    nmi_pending_ = false;
    timer_changed_ = true;
    requests_.fetch_and(kRequestFlush | kRequestStartup);
    check_events_ = true;
    if (!power_up)
        apic_.init();
    hw.set_task_priority(0);
    if (!power_up)
        return;
    for (const Field field :
         {Field::Star, Field::Lstar, Field::Cstar, Field::Fmask, Field::KernelGsBase,
          Field::SysenterCs, Field::SysenterEsp, Field::SysenterEip})
        hw.write(field, 0);
    hw.write(Field::Pat, kPatReset);
    xcr0_ = xcr0::kX87;
    fpu_reset(fpu_);
    misc_enable_ = 1;  // fast strings
    mtrr_def_type_ = mcg_status_ = tsc_aux_ = 0;
    mtrr_fixed_ = {};
    mtrr_variable_ = {};
}

// SDM vol. 3, 9.4.3: the vector is the page where it begins.
void Vcpu::start_up(u8 vector) {
    hardware_->write(Field::CsSelector, u64{vector} << 8);
    hardware_->write(Field::CsBase, u64{vector} << 12);
    hardware_->write(Field::Rip, 0);
    activity_ = Activity::Active;
}

u64 Vcpu::guest_tsc() const {
    return read_tsc() + tsc_offset_;
}

void Vcpu::set_guest_tsc(u64 value) {
    tsc_offset_ = value - read_tsc();
    hardware_->set_tsc_offset(tsc_offset_);
    timer_changed_ = true;
}

void Vcpu::mark_written() {
    while (const auto page = hardware_->take_written())
        vm_.tables.dirty_mark(page->value);
}

Status Vcpu::inject(abi::InjectKind kind, u64 vector, u64 error_code) {
    if (kind == abi::InjectKind::Nmi) {
        nmi_pending_ = true;
        check_events_ = true;
        return {};
    }
    if (pending_event_.valid())
        return fail(abi::Error::Busy);
    switch (kind) {
        case abi::InjectKind::Exception:
            if (vector > 31 || vector == 2)
                return fail(abi::Error::Invalid);
            pending_event_ = Event::exception(static_cast<u8>(vector));
            break;
        case abi::InjectKind::ExceptionWithCode:
            if (vector > 31 || vector == 2 || error_code > 0xffff'ffff)
                return fail(abi::Error::Invalid);
            pending_event_ =
                Event::exception(static_cast<u8>(vector), static_cast<u32>(error_code));
            break;
        case abi::InjectKind::ExternalInterrupt:
            if (vector > 255)
                return fail(abi::Error::Invalid);
            if (!ready_for_interrupt())
                return fail(abi::Error::Busy);
            pending_event_ = Event::interrupt(static_cast<u8>(vector));
            break;
        default:
            return fail(abi::Error::Invalid);
    }
    check_events_ = true;
    return {};
}

}  // namespace skep::hv
