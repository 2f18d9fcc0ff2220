// The state of a vCPU by field number (hv/abi/vcpu.hpp).
#include "hv/guest/vcpu.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/guest/checks.hpp"

namespace skep::hv {

using abi::Field;

namespace {

constexpr u32 number(Field field) {
    return static_cast<u32>(field);
}

constexpr bool between(Field field, Field first, Field last) {
    return number(field) >= number(first) && number(field) <= number(last);
}

constexpr bool is_general(Field field) {
    return between(field, Field::Rax, Field::R15);
}
constexpr bool is_segment(Field field) {
    return between(field, Field::EsSelector, Field::TrAccess);
}
constexpr bool is_table(Field field) {
    return between(field, Field::GdtrBase, Field::IdtrLimit);
}

constexpr bool in_hardware(Field field) {
    return between(field, Field::Rip, Field::Rflags) || is_segment(field) || is_table(field) ||
           between(field, Field::Star, Field::Pat) || field == Field::Cr0 || field == Field::Cr2 ||
           field == Field::Cr3 || field == Field::Cr4 || field == Field::Efer ||
           field == Field::Dr6 || field == Field::Dr7 || field == Field::Interruptibility;
}

constexpr u64 kAccessMask = 0x1'f0ff;
constexpr u64 kMax32 = 0xffff'ffff;

bool valid_segment_part(Field field, u64 value) {
    const Field part = static_cast<Field>(number(field) & 3);
    switch (number(part)) {
        case 0:
            return value <= 0xffff;
        case 1:
            // ES, CS, SS and DS have 32-bit bases outside of 64-bit mode and none inside.
            return between(field, Field::EsSelector, Field::DsAccess) ? value <= kMax32
                                                                      : canonical(value);
        case 2:
            return value <= kMax32;
        default:
            return (value & ~kAccessMask) == 0;
    }
}

bool valid_event(u64 value) {
    const Event event{static_cast<u32>(value), 0};
    if (value > kMax32)
        return false;
    if (!event.valid())
        return value == 0;
    switch (event.type()) {
        case EventType::ExternalInterrupt:
            return !event.has_error_code();
        case EventType::Nmi:
            return event.vector() == 2 && !event.has_error_code();
        case EventType::HardwareException:
            return event.vector() < 32 && event.vector() != 2;
        default:
            return false;
    }
}

}  // namespace

Result<u64> Vcpu::get_field(Field field) const {
    if (is_general(field))
        return general(number(field));
    if (in_hardware(field))
        return hardware_->read(field);
    if (between(field, Field::Dr0, Field::Dr3))
        return dr_[number(field) - number(Field::Dr0)];
    if (between(field, Field::MtrrFixed0, static_cast<Field>(number(Field::MtrrFixed0) + 10)))
        return mtrr_fixed_[number(field) - number(Field::MtrrFixed0)];
    if (between(field, Field::MtrrPhysBase0, static_cast<Field>(number(Field::MtrrPhysBase0) + 15)))
        return mtrr_variable_[number(field) - number(Field::MtrrPhysBase0)];
    switch (field) {
        case Field::Xcr0:
            return xcr0_;
        case Field::TscAux:
            return tsc_aux_;
        case Field::MiscEnable:
            return misc_enable_;
        case Field::MtrrDefType:
            return mtrr_def_type_;
        case Field::SpecCtrl:
            return 0;
        case Field::Tsc:
            return guest_tsc();
        case Field::TscAdjust:
            return tsc_adjust_;
        case Field::ApicBase:
            return apic_.base();
        case Field::ApicTscDeadline:
            return apic_.tsc_deadline();
        case Field::ApicTimerRemaining:
            return apic_.timer_remaining(read_tsc());
        case Field::ActivityState:
            return static_cast<u64>(activity_.load());
        case Field::PendingEvent:
            return pending_event_.valid() ? pending_event_.information : 0;
        case Field::PendingErrorCode:
            return pending_event_.valid() ? pending_event_.error_code : 0;
        case Field::NmiPending:
            return nmi_pending_ || (requests_ & kRequestNmi) != 0;
        default:
            return fail(abi::Error::NoEntity);
    }
}

void Vcpu::save_apic(LocalApic::Page& page) {
    sync_task_priority();
    apic_.save(page, read_tsc());
}

void Vcpu::load_apic(const LocalApic::Page& page) {
    apic_.load(page);
    hardware_->set_task_priority(apic_.tpr() >> 4);
    check_events_ = timer_changed_ = true;
}

Status Vcpu::check_field(Field field, u64 value) const {
    const auto require = [](bool valid) -> Status {
        return valid ? Status{} : fail(abi::Error::Invalid);
    };
    HV_TRY(get_field(field));
    if (is_segment(field))
        return require(valid_segment_part(field, value));
    switch (field) {
        case Field::Rflags:
            return require((value & rflags::kMustBeZero) == 0);
        case Field::Cr0:
            return require(valid_cr0(value));
        case Field::Cr3:
            return require((value & ~(address_mask() | u64{1} << 63)) == 0);
        case Field::Cr4:
            return require((value & ~kValidCr4) == 0);
        case Field::Efer:
            return require((value & ~valid_efer_bits(vm_.cpuid)) == 0);
        case Field::Dr6:
        case Field::Dr7:
        case Field::TscAux:
        case Field::PendingErrorCode:
        case Field::SysenterCs:
        case Field::Fmask:
            return require(value <= kMax32);
        case Field::GdtrLimit:
        case Field::IdtrLimit:
            return require(value <= 0xffff);
        case Field::GdtrBase:
        case Field::IdtrBase:
        case Field::Lstar:
        case Field::Cstar:
        case Field::KernelGsBase:
        case Field::SysenterEsp:
        case Field::SysenterEip:
            return require(canonical(value));
        case Field::Pat:
            return require(valid_pat(value));
        case Field::Xcr0:
            return require(valid_xcr0(value));
        case Field::SpecCtrl:
            // Not offered to guests (cpuid_table.cpp), so it has its reset value everywhere.
            return require(value == 0);
        case Field::ApicBase:
            return require(LocalApic::valid_base(value, address_mask() & apic::kBaseAddress));
        case Field::ActivityState:
            return require(value <= static_cast<u64>(Activity::WaitForSipi));
        case Field::Interruptibility:
            return require((value & ~u64{1 | 2 | 8}) == 0 && (value & 3) != 3);
        case Field::PendingEvent:
            return require(valid_event(value));
        case Field::NmiPending:
            return require(value <= 1);
        default:
            return {};
    }
}

void Vcpu::set_field(Field field, u64 value) {
    check_events_ = timer_changed_ = true;
    if (is_general(field))
        return set_general(number(field), value);
    if (field == Field::Rflags)
        value |= rflags::kReserved1;
    if (field == Field::Dr7) {
        // Until the next world switch looks whether it has a breakpoint.
        debug_in_use_ = true;
        hardware_->intercept_debug_registers(false);
    }
    if (in_hardware(field))
        return hardware_->write(field, value);
    if (between(field, Field::Dr0, Field::Dr3)) {
        dr_[number(field) - number(Field::Dr0)] = value;
        return;
    }
    if (between(field, Field::MtrrFixed0, static_cast<Field>(number(Field::MtrrFixed0) + 10))) {
        mtrr_fixed_[number(field) - number(Field::MtrrFixed0)] = value;
        return;
    }
    if (between(field, Field::MtrrPhysBase0,
                static_cast<Field>(number(Field::MtrrPhysBase0) + 15))) {
        mtrr_variable_[number(field) - number(Field::MtrrPhysBase0)] = value;
        return;
    }
    switch (field) {
        case Field::Xcr0:
            xcr0_ = value;
            return;
        case Field::TscAux:
            tsc_aux_ = value;
            return;
        case Field::MiscEnable:
            misc_enable_ = value;
            return;
        case Field::MtrrDefType:
            mtrr_def_type_ = value;
            return;
        case Field::Tsc:
            set_guest_tsc(value);
            return;
        case Field::TscAdjust:
            tsc_adjust_ = value;
            return;
        case Field::ApicBase:
            apic_.restore_base(value);
            return;
        case Field::ApicTscDeadline:
            apic_.restore_tsc_deadline(value);
            return;
        case Field::ApicTimerRemaining:
            apic_.set_timer_remaining(value, read_tsc());
            return;
        case Field::ActivityState:
            activity_ = static_cast<Activity>(value);
            return;
        case Field::PendingEvent:
            pending_event_.information = static_cast<u32>(value);
            hardware_->inject({});  // what was chosen for the next entry is void
            return;
        case Field::PendingErrorCode:
            pending_event_.error_code = static_cast<u32>(value);
            return;
        case Field::NmiPending:
            nmi_pending_ = value != 0;
            return;
        default:
            return;
    }
}

}  // namespace skep::hv
