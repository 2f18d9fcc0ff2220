// The MSRs of a guest that leave it. Those that hardware switches do not get here (SYSENTER, STAR,
// bases); those that hv does not know are their owner's.
#include "hv/guest/vcpu.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/cpu/features.hpp"
#include "hv/guest/checks.hpp"

namespace skep::hv {

namespace {

// Eight variable ranges, fixed ranges, write combining (SDM vol. 3, 12.11.1).
constexpr u64 kMtrrCapabilities = 8 | 1 << 8 | 1 << 10;

}  // namespace

// MSRs that are only stored: what they configure has no meaning for a guest's memory, which is RAM
// with the types of its own page tables.
u64* Vcpu::stored_msr(u32 index) {
    switch (index) {
        case msr::kMtrrFix64k:
            return &mtrr_fixed_[0];
        case msr::kMtrrFix16k0:
        case msr::kMtrrFix16k1:
            return &mtrr_fixed_[1 + index - msr::kMtrrFix16k0];
        case msr::kMtrrDefType:
            return &mtrr_def_type_;
        case msr::kMiscEnable:
            return &misc_enable_;
        case msr::kMcgStatus:
            return &mcg_status_;
        default:
            break;
    }
    if (index >= msr::kMtrrFix4k0 && index < msr::kMtrrFix4k0 + 8)
        return &mtrr_fixed_[3 + index - msr::kMtrrFix4k0];
    if (index >= msr::kMtrrPhysBase0 && index < msr::kMtrrPhysBase0 + 16)
        return &mtrr_variable_[index - msr::kMtrrPhysBase0];
    return nullptr;
}

Vcpu::MsrRead Vcpu::read_msr(u32 index) const {
    if (const u64* stored = stored_msr(index))
        return {MsrOutcome::Done, *stored};
    switch (index) {
        case msr::kTsc:
            return {MsrOutcome::Done, guest_tsc()};
        case msr::kTscAdjust:
            return {MsrOutcome::Done, tsc_adjust_};
        case msr::kTscDeadline:
            return {MsrOutcome::Done, apic_.tsc_deadline()};
        case msr::kApicBase:
            return {MsrOutcome::Done, apic_.base()};
        case msr::kTscAux:
            if (!has_tsc_aux())
                break;
            return {MsrOutcome::Done, tsc_aux_};
        case msr::kEfer:
            return {MsrOutcome::Done, hardware_->read(abi::Field::Efer)};
        case msr::kPat:
            return {MsrOutcome::Done, hardware_->read(abi::Field::Pat)};
        case msr::kMtrrCap:
            return {MsrOutcome::Done, kMtrrCapabilities};
        case msr::kMcgCap:
        case msr::kBiosUpdateSignature:
            return {MsrOutcome::Done, 0};
        default:
            break;
    }
    if (index >= msr::kX2ApicFirst && index <= msr::kX2ApicLast) {
        if (!apic_.x2apic())
            return {MsrOutcome::Fault};
        const auto value = apic_.read_x2((index - msr::kX2ApicFirst) * 16, read_tsc());
        return value ? MsrRead{MsrOutcome::Done, *value} : MsrRead{MsrOutcome::Fault};
    }
    return {MsrOutcome::Owner};
}

bool Vcpu::write_efer(u64 value) {
    const u64 old = hardware_->read(abi::Field::Efer);
    // LMA is the CPU's; LME does not change while paging is on (SDM vol. 3, 4.1.2).
    value = (value & ~efer::kLma) | (old & efer::kLma);
    const bool paging = (hardware_->read(abi::Field::Cr0) & cr0::kPg) != 0;
    if ((value & ~valid_efer_bits(vm_.cpuid)) != 0 || (paging && ((value ^ old) & efer::kLme) != 0))
        return false;
    hardware_->write(abi::Field::Efer, value);
    return true;
}

Vcpu::MsrWrite Vcpu::write_msr(u32 index, u64 value) {
    if (u64* stored = stored_msr(index)) {
        *stored = value;
        return {MsrOutcome::Done};
    }
    if (const auto field = syscall_field(index)) {
        if (!valid_syscall_field(*field, value))
            return {MsrOutcome::Fault};
        hardware_->write(*field, value);
        return {MsrOutcome::Done};
    }
    switch (index) {
        case msr::kTsc:
            tsc_adjust_ += value - guest_tsc();
            set_guest_tsc(value);
            check_events_ = true;
            return {MsrOutcome::Done};
        case msr::kTscAdjust:
            set_guest_tsc(guest_tsc() + (value - tsc_adjust_));
            tsc_adjust_ = value;
            check_events_ = true;
            return {MsrOutcome::Done};
        case msr::kTscDeadline:
            apic_.poll_timer(read_tsc(), tsc_offset_);
            apic_.set_tsc_deadline(value);
            check_events_ = timer_changed_ = true;
            return {MsrOutcome::Done};
        case msr::kApicBase:
            timer_changed_ = true;
            if (!apic_.set_base(value, address_mask() & apic::kBaseAddress))
                return {MsrOutcome::Fault};
            check_events_ = true;
            return {MsrOutcome::Done};
        case msr::kTscAux:
            if (!has_tsc_aux())
                break;
            if (value >> 32 != 0)
                return {MsrOutcome::Fault};
            tsc_aux_ = value;
            hv::write_msr(index, value);
            return {MsrOutcome::Done};
        case msr::kEfer:
            return {write_efer(value) ? MsrOutcome::Done : MsrOutcome::Fault};
        case msr::kPat:
            if (!valid_pat(value))
                return {MsrOutcome::Fault};
            hardware_->write(abi::Field::Pat, value);
            return {MsrOutcome::Done};
        case msr::kMtrrCap:
            return {MsrOutcome::Fault};
        case msr::kBiosUpdateSignature:
            return {MsrOutcome::Done};
        default:
            break;
    }
    if (index >= msr::kX2ApicFirst && index <= msr::kX2ApicLast) {
        if (!apic_.x2apic())
            return {MsrOutcome::Fault};
        sync_task_priority();
        const u32 offset = (index - msr::kX2ApicFirst) * 16;
        const u64 now = read_tsc();
        settle_timer(offset, now);
        const ApicEffect effect = apic_.write_x2(offset, value, now);
        if (effect.kind == ApicEffect::Kind::Fault)
            return {MsrOutcome::Fault};
        hardware_->set_task_priority(apic_.tpr() >> 4);
        return {MsrOutcome::Done, apply(effect)};
    }
    return {MsrOutcome::Owner};
}

}  // namespace skep::hv
