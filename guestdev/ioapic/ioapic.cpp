#include <guestdev/ioapic/ioapic.hpp>

namespace skep::guestdev {
namespace {

// Offsets (section 3.1) and register indices (3.2).
constexpr std::uint64_t kSelect = 0x00, kWindow = 0x10;
constexpr std::uint8_t kId = 0, kVersion = 1, kArbitration = 2, kRedirection = 0x10;
constexpr std::uint32_t kVersionValue = 0x11;

// Redirection entry (3.2.4).
constexpr std::uint64_t kVectorMask = 0xff, kDeliveryModeMask = 0x700;
constexpr std::uint64_t kLogicalDestination = 1 << 11, kDeliveryStatus = 1 << 12,
                        kRemoteIrr = 1 << 14, kLevel = 1 << 15, kMasked = 1 << 16;
constexpr std::uint64_t kReadOnly = kDeliveryStatus | kRemoteIrr;
constexpr std::uint64_t kReserved = 0x00ff'ffff'fffe'0000;

// As the chip's bus message becomes an MSI (SDM vol. 3, 11.11).
Msi message(std::uint64_t entry) {
    std::uint64_t address = 0xfee0'0000 | (entry >> 56) << 12;
    if (entry & kLogicalDestination)
        address |= 1 << 2;
    auto data = static_cast<std::uint32_t>(entry & (kVectorMask | kDeliveryModeMask));
    if (entry & kLevel)
        data |= 1u << 15 | 1u << 14;
    return {address, data};
}

}  // namespace

IoApic::State::State() {
    redirection.fill(kMasked);
}

std::optional<std::string> IoApic::check(const State& state) {
    if (state.id > 0x0f)
        return "id is wider than 4 bits";
    if (state.lines >> kInputs)
        return "lines of inputs above 23";
    for (std::uint64_t entry : state.redirection) {
        if (entry & (kReserved | kDeliveryStatus))
            return "reserved bits of a redirection entry are set";
    }
    return std::nullopt;
}

void IoApic::deliver_level(unsigned input, const MsiSink& sink) {
    std::uint64_t& entry = state.redirection[input];
    if (!(entry & kLevel) || entry & (kMasked | kRemoteIrr) || !(state.lines >> input & 1))
        return;
    entry |= kRemoteIrr;
    sink(message(entry));
}

void IoApic::set_line(unsigned input, bool up, const MsiSink& sink) {
    bool was_up = state.lines >> input & 1;
    state.lines = (state.lines & ~(1u << input)) | static_cast<std::uint32_t>(up) << input;
    std::uint64_t entry = state.redirection[input];
    if (entry & kLevel)
        deliver_level(input, sink);
    else if (up && !was_up && !(entry & kMasked))
        sink(message(entry));
}

void IoApic::end_of_interrupt(std::uint8_t vector, const MsiSink& sink) {
    for (unsigned input = 0; input < kInputs; input++) {
        std::uint64_t& entry = state.redirection[input];
        if (!(entry & kLevel) || !(entry & kRemoteIrr) || (entry & kVectorMask) != vector)
            continue;
        entry &= ~kRemoteIrr;
        deliver_level(input, sink);
    }
}

std::uint32_t IoApic::read_register(std::uint8_t index) const {
    switch (index) {
        case kId:
        case kArbitration:
            return static_cast<std::uint32_t>(state.id) << 24;
        case kVersion:
            return kVersionValue | (kInputs - 1) << 16;
        default:
            break;
    }
    unsigned input = (index - kRedirection) / 2u;
    if (index < kRedirection || input >= kInputs)
        return 0xffff'ffff;
    return static_cast<std::uint32_t>(state.redirection[input] >> (index & 1 ? 32 : 0));
}

void IoApic::write_register(std::uint8_t index, std::uint32_t value, const MsiSink& sink) {
    if (index == kId) {
        state.id = value >> 24 & 0x0f;
        return;
    }
    unsigned input = (index - kRedirection) / 2u;
    if (index < kRedirection || input >= kInputs)
        return;
    std::uint64_t& entry = state.redirection[input];
    std::uint64_t half = index & 1 ? 0xffff'ffff'0000'0000 : 0xffff'ffff;
    std::uint64_t written = (index & 1 ? std::uint64_t{value} << 32 : value) & half;
    std::uint64_t writable = half & ~kReadOnly & ~kReserved;
    entry = (entry & ~writable) | (written & writable);
    // Switching to edge mode forgets the level interrupt in service; Linux relies on it.
    if (!(entry & kLevel))
        entry &= ~kRemoteIrr;
    deliver_level(input, sink);
}

std::uint32_t IoApic::read(std::uint64_t offset) const {
    switch (offset) {
        case kSelect:
            return state.select;
        case kWindow:
            return read_register(state.select);
        default:
            return 0xffff'ffff;
    }
}

void IoApic::write(std::uint64_t offset, std::uint32_t value, const MsiSink& sink) {
    if (offset == kSelect)
        state.select = static_cast<std::uint8_t>(value);
    else if (offset == kWindow)
        write_register(state.select, value, sink);
}

}  // namespace skep::guestdev
