#include "hv/guest/local_apic.hpp"

#include <algorithm>
#include <atomic>
#include <bit>

namespace skep::hv {

namespace {

// Version 0x14 with six LVT entries.
constexpr u32 kVersionValue = 0x0005'0014;
constexpr u32 kLvtMasked = 1 << 16;
constexpr unsigned kOneShot = 0, kPeriodic = 1, kTscDeadline = 2;
constexpr std::array kLvts = {apic::kLvtTimer, apic::kLvtThermal, apic::kLvtPerformance,
                              apic::kLvtLint0, apic::kLvtLint1,   apic::kLvtError};
// An xAPIC's whose new value a CPU puts into the page, and then leaves (SDM vol. 3, 30.4.3).
constexpr std::array kOverwritten = {
    apic::kId,       apic::kLdr,      apic::kDfr,        apic::kSvr,
    apic::kEsr,      apic::kLvtTimer, apic::kLvtThermal, apic::kLvtPerformance,
    apic::kLvtLint0, apic::kLvtLint1, apic::kLvtError,   apic::kInitialCount,
    apic::kDivide};
constexpr u32 kEsrIllegalRegister = 1 << 7;

constexpr u32 lvt_mask(u32 offset) {
    switch (offset) {
        case apic::kLvtTimer:
            return 0x7'00ff;
        case apic::kLvtLint0:
        case apic::kLvtLint1:
            return 0x1'a7ff;
        case apic::kLvtError:
            return 0x1'00ff;
        default:
            return 0x1'07ff;
    }
}

constexpr bool read_only(u32 offset) {
    return offset == apic::kId || offset == apic::kVersion || offset == apic::kApr ||
           offset == apic::kPpr || (offset >= apic::kIsr && offset < apic::kEsr) ||
           offset == apic::kCurrentCount;
}

constexpr bool exists(u32 offset) {
    return (offset & 0xf) == 0 &&
           (offset == apic::kId || offset == apic::kVersion ||
            (offset >= apic::kTpr && offset <= apic::kEoi) ||
            (offset >= apic::kLdr && offset <= apic::kEsr) ||
            (offset >= apic::kIcrLow && offset <= apic::kCurrentCount) || offset == apic::kDivide);
}

}  // namespace

ApicMessage ApicMessage::from_icr(u64 icr, bool x2apic) {
    ApicMessage message{};
    message.destination = x2apic ? static_cast<u32>(icr >> 32) : static_cast<u32>(icr >> 56);
    message.wide = x2apic;
    message.vector = static_cast<u8>(icr);
    message.mode = static_cast<DeliveryMode>(icr >> 8 & 7);
    message.logical = (icr & 1 << 11) != 0;
    message.level = (icr & 1 << 15) != 0;
    message.deassert = message.level && (icr & 1 << 14) == 0;
    message.shorthand = static_cast<u8>(icr >> 18 & 3);
    return message;
}

ApicMessage ApicMessage::from_msi(u64 address, u32 data) {
    ApicMessage message{};
    message.destination = static_cast<u32>(address >> 12 & 0xff);
    message.logical = (address & 1 << 2) != 0;
    message.vector = static_cast<u8>(data);
    message.mode = static_cast<DeliveryMode>(data >> 8 & 7);
    message.level = (data & 1 << 15) != 0;
    message.deassert = message.level && (data & 1 << 14) == 0;
    return message;
}

void LocalApic::reset(u32 id) {
    id_ = id;
    base_ = apic::kBaseDefault | apic::kBaseEnable | (id == 0 ? apic::kBaseBoot : 0);
    init();
}

void LocalApic::init() {
    page_.fill(0);
    drop_accepted();
    expiry_ = tsc_deadline_ = 0;
    set_identity();
    reg(apic::kVersion) = kVersionValue;
    reg(apic::kDfr) = ~0u;
    reg(apic::kSvr) = 0xff;
    for (const u32 lvt : kLvts)
        reg(lvt) = kLvtMasked;
    reg(apic::kLvtCmci) = kLvtMasked;
    find_accepts_extint();
    keep();
}

bool LocalApic::valid_base(u64 value, u64 address_mask) {
    constexpr u64 kKnown = apic::kBaseBoot | apic::kBaseX2 | apic::kBaseEnable;
    const bool enable = (value & apic::kBaseEnable) != 0, x2 = (value & apic::kBaseX2) != 0;
    return (value & ~(kKnown | address_mask)) == 0 && (enable || !x2);
}

void LocalApic::restore_base(u64 value) {
    base_ = value;
    set_identity();
    find_accepts_extint();
    keep();
}

void LocalApic::set_identity() {
    reg(apic::kId) = x2apic() ? id_ : id_ << 24;
    if (x2apic())
        reg(apic::kLdr) = (id_ >> 4) << 16 | 1u << (id_ & 15);
}

bool LocalApic::set_base(u64 value, u64 address_mask) {
    const bool enable = (value & apic::kBaseEnable) != 0, x2 = (value & apic::kBaseX2) != 0;
    // From x2APIC only to disabled, from disabled only to xAPIC.
    if (!valid_base(value, address_mask) || (x2apic() && enable && !x2) || (!enabled() && x2))
        return false;
    const bool was_enabled = enabled();
    restore_base(value);
    if (was_enabled && !enable)
        init();
    return true;
}

void LocalApic::keep() {
    for (std::size_t i = 0; i < kOverwritten.size(); ++i)
        kept_[i] = reg(kOverwritten[i]);
}

u32 LocalApic::take_written(u32 offset) {
    const u32 value = reg(offset & 0xff0);
    for (std::size_t i = 0; i < kOverwritten.size(); ++i)
        reg(kOverwritten[i]) = kept_[i];
    return value;
}

u64 LocalApic::divide() const {
    const u32 value = reg(apic::kDivide);
    const u32 exponent = (value & 3) | (value >> 1 & 4);
    return exponent == 7 ? 1 : u64{2} << exponent;
}

u32 LocalApic::current_count(u64 now) const {
    if (expiry_ == 0 || expiry_ <= now)
        return 0;
    return static_cast<u32>((expiry_ - now) / divide());
}

u32 LocalApic::read(u32 offset, u64 now) const {
    offset &= 0xff0;
    switch (offset) {
        case apic::kPpr:
            return processor_priority();
        case apic::kCurrentCount:
            return current_count(now);
        default:
            return reg(offset);
    }
}

void LocalApic::write_lvt(u32 offset, u32 value, u64 now) {
    value &= lvt_mask(offset);
    if ((reg(apic::kSvr) & 0x100) == 0)
        value |= kLvtMasked;
    const unsigned old_mode = timer_mode();
    reg(offset) = value;
    if (offset == apic::kLvtTimer && timer_mode() != old_mode) {
        // Between TSC-deadline and the other modes the timer is disarmed, SDM vol. 3, 11.5.4.1.
        if (timer_mode() == kTscDeadline || old_mode == kTscDeadline)
            expiry_ = tsc_deadline_ = 0;
        else if (timer_mode() == kPeriodic && expiry_ == 0 && period() != 0)
            expiry_ = now + period();
    }
}

ApicEffect LocalApic::write_common(u32 offset, u32 value, u64 now) {
    using Kind = ApicEffect::Kind;
    switch (offset) {
        case apic::kTpr:
            reg(offset) = value & 0xff;
            return {};
        case apic::kEoi:
            return end_of_interrupt();
        case apic::kSvr:
            reg(offset) = value & 0x1ff;
            if ((value & 0x100) == 0) {
                for (const u32 lvt : kLvts)
                    reg(lvt) |= kLvtMasked;
                find_accepts_extint();
            }
            return {};
        case apic::kEsr:
            reg(offset) = 0;
            return {};
        case apic::kInitialCount:
            if (timer_mode() == kTscDeadline)
                return {};
            reg(offset) = value;
            expiry_ = value == 0 ? 0 : now + period();
            return {.kind = Kind::Timer};
        case apic::kDivide: {
            const u64 left = current_count(now);
            reg(offset) = value & 0xb;
            if (expiry_ != 0)
                expiry_ = now + left * divide();
            return {.kind = Kind::Timer};
        }
        case apic::kLvtTimer:
            write_lvt(offset, value, now);
            return {.kind = Kind::Timer};
        case apic::kLvtThermal:
        case apic::kLvtPerformance:
        case apic::kLvtLint0:
        case apic::kLvtLint1:
        case apic::kLvtError:
            write_lvt(offset, value, now);
            find_accepts_extint();
            return {};
        default:
            return {};
    }
}

ApicEffect LocalApic::write(u32 offset, u32 value, u64 now) {
    const ApicEffect effect = write_xapic(offset & 0xff0, value, now);
    keep();
    return effect;
}

ApicEffect LocalApic::write_xapic(u32 offset, u32 value, u64 now) {
    if (!exists(offset)) {
        reg(apic::kEsr) |= kEsrIllegalRegister;
        return {};
    }
    switch (offset) {
        case apic::kLdr:
            reg(offset) = value & 0xff00'0000;
            return {};
        case apic::kDfr:
            reg(offset) = value | 0x0fff'ffff;
            return {};
        case apic::kIcrHigh:
            reg(offset) = value & 0xff00'0000;
            return {};
        case apic::kIcrLow:
            // The delivery-status bit reads as idle: delivery is immediate.
            reg(offset) = value & 0x000c'cfff;
            return {.kind = ApicEffect::Kind::Message,
                    .message = ApicMessage::from_icr(
                        static_cast<u64>(reg(apic::kIcrHigh)) << 32 | value, false)};
        default:
            return read_only(offset) ? ApicEffect{} : write_common(offset, value, now);
    }
}

std::optional<u64> LocalApic::read_x2(u32 offset, u64 now) const {
    if (!exists(offset) || offset == apic::kDfr || offset == apic::kIcrHigh ||
        offset == apic::kEoi || offset == apic::kApr)
        return std::nullopt;
    if (offset == apic::kIcrLow)
        return reg(offset) | static_cast<u64>(reg(apic::kIcrHigh)) << 32;
    return read(offset, now);
}

ApicEffect LocalApic::write_x2(u32 offset, u64 value, u64 now) {
    using Kind = ApicEffect::Kind;
    if (offset == apic::kSelfIpi) {
        if (value > 0xff)
            return {.kind = Kind::Fault};
        ApicMessage message{};
        message.shorthand = 1;
        message.vector = static_cast<u8>(value);
        return {.kind = Kind::Message, .message = message};
    }
    if (offset == apic::kIcrLow) {
        reg(offset) = static_cast<u32>(value) & 0x000c'cfff;
        reg(apic::kIcrHigh) = static_cast<u32>(value >> 32);
        return {.kind = Kind::Message, .message = ApicMessage::from_icr(value, true)};
    }
    // EOI and ESR take only zero; LDR and the ID are read-only in this mode.
    if (!exists(offset) || read_only(offset) || offset == apic::kDfr || offset == apic::kLdr ||
        offset == apic::kIcrHigh || value >> 32 != 0 ||
        ((offset == apic::kEoi || offset == apic::kEsr) && value != 0))
        return {.kind = Kind::Fault};
    return write_common(offset, static_cast<u32>(value), now);
}

std::optional<u8> LocalApic::highest(u32 base) const {
    for (int word = 7; word >= 0; --word) {
        const u32 bits =
            std::atomic_ref(const_cast<u32&>(reg(base + static_cast<u32>(word) * 0x10)))
                .load(std::memory_order_acquire);
        if (bits != 0)
            return static_cast<u8>(word * 32 + 31 - std::countl_zero(bits));
    }
    return std::nullopt;
}

bool LocalApic::accept(u8 vector, bool level) {
    const u32 bit = 1u << vector % 32;
    std::atomic_ref tmr(reg(apic::kTmr + vector / 32 * 0x10u));
    if (level)
        tmr.fetch_or(bit);
    else
        tmr.fetch_and(~bit);
    Mailbox& mailbox = level ? level_ : edge_;
    mailbox.requests[vector / 32].fetch_or(bit);
    return mailbox.outstanding.exchange(1) == 0 && !level;
}

void LocalApic::take_accepted() {
    for (Mailbox* mailbox : {&edge_, &level_}) {
        if (mailbox->outstanding.load() == 0)
            continue;
        mailbox->outstanding.store(0);  // first: what arrives from here on sets it again
        for (u32 word = 0; word < 8; ++word)
            reg(apic::kIrr + word * 0x10) |= mailbox->requests[word].exchange(0);
    }
}

void LocalApic::drop_accepted() {
    take_accepted();
    for (u32 word = 0; word < 8; ++word)
        reg(apic::kIrr + word * 0x10) = 0;
}

u8 LocalApic::processor_priority() const {
    const u8 in_service = in_service_class();
    const u8 task = tpr();
    return (task & 0xf0) >= in_service ? task : in_service;
}

std::optional<u8> LocalApic::deliverable() {
    take_accepted();
    const auto vector = requested();
    if (!vector || !accepts_fixed() || (*vector & 0xf0) <= (processor_priority() & 0xf0))
        return std::nullopt;
    return vector;
}

std::optional<u8> LocalApic::blocked_by_tpr() const {
    // Without a TPR nothing is blocked by it.
    if ((tpr() & 0xf0) == 0 || !accepts_fixed())
        return std::nullopt;
    const auto vector = requested();
    if (!vector || (*vector & 0xf0) <= in_service_class() || (*vector & 0xf0) > (tpr() & 0xf0))
        return std::nullopt;
    return vector;
}

void LocalApic::acknowledge(u8 vector) {
    const u32 offset = vector / 32 * 0x10u, bit = 1u << vector % 32;
    reg(apic::kIrr + offset) &= ~bit;
    reg(apic::kIsr + offset) |= bit;
}

ApicEffect LocalApic::end_of_interrupt() {
    const auto vector = in_service();
    if (!vector)
        return {};
    reg(apic::kIsr + *vector / 32 * 0x10u) &= ~(1u << *vector % 32);
    return ended(*vector);
}

ApicEffect LocalApic::ended(u8 vector) const {
    if ((reg(apic::kTmr + vector / 32 * 0x10u) & 1u << vector % 32) == 0)
        return {};
    return {.kind = ApicEffect::Kind::EndOfLevel, .vector = vector};
}

bool LocalApic::matches(const ApicMessage& message) const {
    const u32 destination = message.destination;
    const bool broadcast = destination == (message.wide ? ~0u : 0xffu);
    if (!message.logical)
        return broadcast || destination == id_;
    if (x2apic()) {
        // An 8-bit logical destination reaches cluster 0 only.
        const u32 cluster = message.wide ? destination >> 16 : 0;
        return broadcast || (cluster == id_ >> 4 && (destination & 0xffff & 1u << (id_ & 15)) != 0);
    }
    const u32 own = reg(apic::kLdr) >> 24;
    if (reg(apic::kDfr) >> 28 == 0xf)  // flat model
        return (destination & own & 0xff) != 0;
    return broadcast ||
           (destination >> 4 == own >> 4 && (destination & own & 0xf) != 0);  // cluster model
}

void LocalApic::find_accepts_extint() {
    const u32 lint0 = reg(apic::kLvtLint0);
    accepts_extint_ =
        !enabled() || ((lint0 & kLvtMasked) == 0 &&
                       static_cast<DeliveryMode>(lint0 >> 8 & 7) == DeliveryMode::ExtInt);
}

u64 LocalApic::deadline(u64 now, u64 tsc_offset) const {
    if (timer_mode() == kTscDeadline) {
        if (tsc_deadline_ == 0)
            return abi::kNoDeadline;
        // Subtract only what lies ahead: the guest's past may be before the host's zero.
        const u64 guest_now = now + tsc_offset;
        return tsc_deadline_ <= guest_now ? now : now + (tsc_deadline_ - guest_now);
    }
    return expiry_ == 0 ? abi::kNoDeadline : expiry_;
}

void LocalApic::poll_timer(u64 now, u64 tsc_offset) {
    if (timer_mode() == kTscDeadline) {
        // Compared as the guest's TSC: an offset may be "negative".
        if (tsc_deadline_ == 0 || tsc_deadline_ > now + tsc_offset)
            return;
        tsc_deadline_ = 0;
    } else {
        if (expiry_ == 0 || expiry_ > now)
            return;
        if (timer_mode() == kPeriodic && period() != 0)
            expiry_ += (now - expiry_) / period() * period() + period();
        else
            expiry_ = 0;
    }
    const u32 lvt = reg(apic::kLvtTimer);
    if ((lvt & kLvtMasked) == 0 && accepts_fixed())
        accept(static_cast<u8>(lvt), false);
}

void LocalApic::set_tsc_deadline(u64 guest_tsc) {
    if (timer_mode() == kTscDeadline)
        tsc_deadline_ = guest_tsc;
}

u64 LocalApic::timer_remaining(u64 now) const {
    if (timer_mode() == kTscDeadline || expiry_ == 0)
        return 0;
    return expiry_ > now ? expiry_ - now : 1;
}

void LocalApic::set_timer_remaining(u64 ticks, u64 now) {
    expiry_ = ticks == 0 ? 0 : now + ticks;
}

void LocalApic::save(Page& page, u64 now) {
    take_accepted();
    page = page_;
    page[apic::kPpr / 4] = processor_priority();
    page[apic::kCurrentCount / 4] = current_count(now);
    // Only written to; a CPU that virtualizes them leaves the last value.
    page[apic::kEoi / 4] = page[apic::kSelfIpi / 4] = 0;
}

void LocalApic::load(const Page& page) {
    drop_accepted();
    page_ = page;
    set_identity();
    reg(apic::kVersion) = kVersionValue;
    reg(apic::kTpr) &= 0xff;
    for (const u32 lvt : kLvts)
        reg(lvt) &= lvt_mask(lvt);
    find_accepts_extint();
    keep();
}

}  // namespace skep::hv
