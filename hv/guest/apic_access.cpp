// Accesses to the local APIC's page: decode the instruction, carry it out on the model.
#include "hv/guest/vcpu.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"

#include <bit>

namespace skep::hv {

using abi::ExitReason;
using abi::Field;

namespace {

constexpr u64 kCf = 1, kPf = 4, kAf = 16, kZf = 64, kSf = 128, kOf = 2048;
constexpr u64 kStatus = kCf | kPf | kAf | kZf | kSf | kOf;

u64 mask_of(unsigned width) {
    return width == 8 ? ~u64{0} : (u64{1} << 8 * width) - 1;
}

u64 result_flags(u64 result, unsigned width) {
    result &= mask_of(width);
    return ((std::popcount(result & 0xff) & 1) == 0 ? kPf : 0) | (result == 0 ? kZf : 0) |
           ((result >> (8 * width - 1) & 1) != 0 ? kSf : 0);
}

// Of left - right, SDM vol. 1, 3.4.3.1.
u64 compare_flags(u64 left, u64 right, unsigned width) {
    const u64 difference = left - right;
    const u64 top = (left ^ right) & (left ^ difference);
    return result_flags(difference, width) |
           ((left & mask_of(width)) < (right & mask_of(width)) ? kCf : 0) |
           (((left ^ right ^ difference) & 0x10) != 0 ? kAf : 0) |
           ((top >> (8 * width - 1) & 1) != 0 ? kOf : 0);
}

}  // namespace

u64 Vcpu::general(unsigned index) const {
    constexpr unsigned kRsp = 4;
    return index == kRsp ? hardware_->read(Field::Rsp) : (&hardware_->general.rax)[index];
}

void Vcpu::set_general(unsigned index, u64 value) {
    constexpr unsigned kRsp = 4;
    (&hardware_->general.rax)[index] = value;
    if (index == kRsp)
        hardware_->write(Field::Rsp, value);
}

u64 Vcpu::operand_register(const MemoryOperation& operation) const {
    if (operation.immediate)
        return operation.value;
    const u64 value = general(operation.reg);
    return operation.high_byte ? value >> 8 : value;
}

void Vcpu::load_register(const MemoryOperation& operation, u64 value) {
    value &= mask_of(operation.width);
    if (operation.sign_extend) {
        const unsigned unused = 64 - 8 * operation.width;
        value = static_cast<u64>(static_cast<i64>(value << unused) >> unused);
    }
    const unsigned width = operation.register_width;
    u64 target = general(operation.reg);
    if (operation.high_byte)
        target = (target & ~u64{0xff00}) | value << 8;
    else if (width >= 4)
        target = value & mask_of(width);  // 32-bit results clear the upper half
    else
        target = (target & ~mask_of(width)) | (value & mask_of(width));
    set_general(operation.reg, target);
}

Vcpu::Leave Vcpu::apply(const ApicEffect& effect) {
    check_events_ = true;
    switch (effect.kind) {
        case ApicEffect::Kind::Timer:
            timer_changed_ = true;
            return {};
        case ApicEffect::Kind::EndOfLevel:
            page_->eoi_vector = effect.vector;
            return ExitReason::ApicEoi;
        case ApicEffect::Kind::Message: {
            const u64 wake = vm_.deliver(effect.message, this);
            if (wake == 0)
                return {};
            page_->wake_mask = wake;
            return ExitReason::WakeVcpus;
        }
        default:
            return {};
    }
}

// What has expired counts as the registers are before a write changes them.
void Vcpu::settle_timer(u32 offset, u64 now) {
    if (offset == apic::kLvtTimer || offset == apic::kInitialCount || offset == apic::kDivide)
        apic_.poll_timer(now, tsc_offset_);
}

ApicAccess Vcpu::apic_access() const {
    if (apic_.x2apic())
        return ApicAccess::Msrs;
    return apic_.xapic() && (apic_.base() & apic::kBaseAddress) == apic::kBaseDefault
               ? ApicAccess::Page
               : ApicAccess::None;
}

// What the CPU leaves of a write to the APIC that it answers for (SDM vol. 3, 30.4.3.3).
Vcpu::Leave Vcpu::finish_apic_write(u32 offset) {
    // An x2APIC's is a self-IPI of a vector below 16, which nothing accepts.
    if (!apic_.xapic())
        return {};
    const u64 now = read_tsc();
    const u32 value = apic_.take_written(offset);
    if (offset % 16 != 0)
        return {};
    settle_timer(offset, now);
    return apply(apic_.write(offset, value, now));
}

Vcpu::Leave Vcpu::access_apic(u32 offset) {
    using Kind = MemoryOperation::Kind;
    std::array<u8, 15> code;
    const std::size_t count = fetch(code);
    const auto operation = decode_memory_operation({code.data(), count}, code_size());
    if (!operation) {
        // Nothing sensible touches the APIC with such an instruction; its owner is told.
        page_->mmio = {apic_.base() + offset, abi::AccessKind::Read, 0};
        page_->instruction_length = 0;
        wants_code_ = true;
        return ExitReason::Mmio;
    }

    // Registers are 32 bits at multiples of 16 (SDM vol. 3, 11.4.1); parts of them read as such.
    const u64 now = read_tsc();
    const u32 shift = offset % 16 * 8;
    const auto load = [&] {
        return shift < 32 ? static_cast<u64>(apic_.read(offset, now)) >> shift : 0;
    };
    const auto store = [&](u64 value) {
        settle_timer(offset, now);
        return shift == 0 ? apic_.write(offset, static_cast<u32>(value), now) : ApicEffect{};
    };
    sync_task_priority();
    ApicEffect effect;
    std::optional<u64> flags;
    switch (operation->kind) {
        case Kind::Load:
            load_register(*operation, load());
            break;
        case Kind::Store:
            effect = store(operand_register(*operation));
            break;
        case Kind::Exchange: {
            const u64 old = load();
            effect = store(operand_register(*operation));
            load_register(*operation, old);
            break;
        }
        case Kind::Test:
            flags = result_flags(load() & operand_register(*operation), operation->width);
            break;
        case Kind::Compare:
            flags = compare_flags(load(), operand_register(*operation), operation->width);
            break;
        case Kind::And:
        case Kind::Or:
        case Kind::Xor: {
            const u64 left = load(), right = operand_register(*operation);
            const u64 result = operation->kind == Kind::And  ? left & right
                               : operation->kind == Kind::Or ? left | right
                                                             : left ^ right;
            flags = result_flags(result, operation->width);
            effect = store(result);
            break;
        }
    }
    if (flags)
        hardware_->write(Field::Rflags, (hardware_->rflags() & ~kStatus) | *flags);
    hardware_->set_task_priority(apic_.tpr() >> 4);
    hardware_->advance(operation->length);
    return apply(effect);
}

}  // namespace skep::hv
