#include <guestdev/i8259/i8259.hpp>

namespace skep::guestdev {
namespace {

enum Icw1 : std::uint8_t {
    kNeedsIcw4 = 1,
    kSingle = 2,
    kLevelMode = 8,
    kIcw1 = 0x10
};
enum Icw4 : std::uint8_t {
    kAutoEoi = 2,
    kSpecialFullyNested = 0x10
};
// OCW2: bits 5..7.
enum Ocw2 : std::uint8_t {
    kEoi = 0x20,
    kSpecific = 0x40,
    kRotate = 0x80,
};
enum Ocw3 : std::uint8_t {
    kOcw3 = 0x08,
    kReadRegisterMask = 0x03,
    kReadIrr = 0x02,
    kReadIsr = 0x03,
    kPoll = 0x04,
    kSpecialMaskMask = 0x60,
    kResetSpecialMask = 0x40,
    kSetSpecialMask = 0x60,
};
// IRQ 0, 1, 2 and 8, 13 are edge triggered in every PC.
constexpr std::uint8_t kElcrMaster = 0xf8, kElcrSlave = 0xde;

}  // namespace

std::optional<std::string> I8259Chip::check(const State& state) {
    if (state.next_icw == 1 || state.next_icw > 4)
        return "next_icw is not 0, 2, 3 or 4";
    if (state.lowest_priority > 7)
        return "lowest_priority is above 7";
    if (state.vector_base & 7)
        return "vector_base is not a multiple of 8";
    return std::nullopt;
}

// 0 = highest; 8 = none of `inputs`.
unsigned I8259Chip::priority_of(std::uint8_t inputs) const {
    for (unsigned priority = 0; priority < 8; priority++) {
        if (inputs >> ((priority + state.lowest_priority + 1) & 7) & 1)
            return priority;
    }
    return 8;
}

std::optional<unsigned> I8259Chip::pending() const {
    if (state.next_icw != 0)
        return std::nullopt;
    auto requests = static_cast<std::uint8_t>(state.irr & ~state.imr);
    std::uint8_t in_service = state.isr;
    if (state.special_mask)
        in_service &= static_cast<std::uint8_t>(~state.imr);
    // A special fully nested master accepts further requests of the slave that it serves.
    if (state.icw4 & kSpecialFullyNested)
        in_service &= static_cast<std::uint8_t>(~state.icw3);
    if (state.special_mask)
        requests &= static_cast<std::uint8_t>(~state.isr);
    unsigned priority = priority_of(requests);
    if (priority >= priority_of(in_service) || priority == 8)
        return std::nullopt;
    return (priority + state.lowest_priority + 1) & 7;
}

void I8259Chip::set_line(unsigned input, bool up) {
    auto bit = static_cast<std::uint8_t>(1u << input);
    bool was_up = state.lines & bit;
    if (up) {
        if (!was_up || (state.level & bit))
            state.irr |= bit;
        state.lines |= bit;
    } else {
        // A request must stay up until it is acknowledged, in both modes.
        state.irr &= static_cast<std::uint8_t>(~bit);
        state.lines &= static_cast<std::uint8_t>(~bit);
    }
}

void I8259Chip::set_level_triggered(std::uint8_t mask) {
    state.level = mask;
    state.irr |= state.lines & mask;
}

unsigned I8259Chip::acknowledge() {
    auto input = pending();
    if (!input)
        return 7;
    auto bit = static_cast<std::uint8_t>(1u << *input);
    if (!(state.level & bit))
        state.irr &= static_cast<std::uint8_t>(~bit);
    if (state.icw4 & kAutoEoi) {
        if (state.rotate_on_auto_eoi)
            state.lowest_priority = static_cast<std::uint8_t>(*input);
    } else {
        state.isr |= bit;
    }
    return *input;
}

std::uint8_t I8259Chip::read_command() {
    if (state.poll) {
        state.poll = false;
        if (!pending())
            return 0;
        return static_cast<std::uint8_t>(0x80 | acknowledge());
    }
    return state.read_isr ? state.isr : state.irr;
}

std::uint8_t I8259Chip::read_data() {
    return state.poll ? read_command() : state.imr;
}

void I8259Chip::end_of_interrupt(std::uint8_t command) {
    auto level = static_cast<std::uint8_t>(command & 7);
    switch (command & (kEoi | kSpecific | kRotate)) {
        case kEoi:
        case kEoi | kRotate: {
            unsigned priority = priority_of(state.isr);
            if (priority == 8)
                break;
            auto input = static_cast<std::uint8_t>((priority + state.lowest_priority + 1) & 7);
            state.isr &= static_cast<std::uint8_t>(~(1u << input));
            if (command & kRotate)
                state.lowest_priority = input;
            break;
        }
        case kEoi | kSpecific:
            state.isr &= static_cast<std::uint8_t>(~(1u << level));
            break;
        case kEoi | kSpecific | kRotate:
            state.isr &= static_cast<std::uint8_t>(~(1u << level));
            state.lowest_priority = level;
            break;
        case kSpecific | kRotate:
            state.lowest_priority = level;
            break;
        case kRotate:
            state.rotate_on_auto_eoi = true;
            break;
        case 0:
            state.rotate_on_auto_eoi = false;
            break;
        default:
            break;
    }
}

void I8259Chip::write_command(std::uint8_t value) {
    if (value & kIcw1) {
        State fresh;
        fresh.lines = state.lines;
        fresh.level = state.level;
        fresh.irr = state.lines & state.level;  // edges are forgotten
        fresh.icw1 = value;
        fresh.next_icw = 2;
        state = fresh;
        return;
    }
    if (!(value & kOcw3)) {
        end_of_interrupt(value);
        return;
    }
    if ((value & kReadRegisterMask) == kReadIrr)
        state.read_isr = false;
    if ((value & kReadRegisterMask) == kReadIsr)
        state.read_isr = true;
    if (value & kPoll)
        state.poll = true;
    if ((value & kSpecialMaskMask) == kSetSpecialMask)
        state.special_mask = true;
    if ((value & kSpecialMaskMask) == kResetSpecialMask)
        state.special_mask = false;
}

void I8259Chip::write_data(std::uint8_t value) {
    bool needs_icw4 = state.icw1 & kNeedsIcw4;
    switch (state.next_icw) {
        case 2:
            state.vector_base = value & 0xf8;
            state.next_icw = state.icw1 & kSingle ? (needs_icw4 ? 4 : 0) : 3;
            break;
        case 3:
            state.icw3 = value;
            state.next_icw = needs_icw4 ? 4 : 0;
            break;
        case 4:
            state.icw4 = value;
            state.next_icw = 0;
            break;
        default:
            state.imr = value;
            break;
    }
}

void I8259::set_line(unsigned irq, bool up) {
    if (irq < 8) {
        if (irq != kCascadeInput)
            master_.set_line(irq, up);
        return;
    }
    slave_.set_line(irq & 7, up);
    update_cascade();
}

std::uint8_t I8259::acknowledge() {
    unsigned input = master_.acknowledge();
    if (input != kCascadeInput)
        return static_cast<std::uint8_t>(master_.state.vector_base + input);
    unsigned slave_input = slave_.acknowledge();
    // Another request of the slave is a new edge on its output.
    master_.set_line(kCascadeInput, false);
    update_cascade();
    return static_cast<std::uint8_t>(slave_.state.vector_base + slave_input);
}

std::uint8_t I8259::read(bool slave, bool data_port) {
    I8259Chip& chip = slave ? slave_ : master_;
    std::uint8_t value = data_port ? chip.read_data() : chip.read_command();
    update_cascade();
    return value;
}

void I8259::write(bool slave, bool data_port, std::uint8_t value) {
    I8259Chip& chip = slave ? slave_ : master_;
    if (data_port)
        chip.write_data(value);
    else
        chip.write_command(value);
    if (slave)
        master_.set_line(kCascadeInput, false);
    update_cascade();
}

std::uint8_t I8259::read_elcr(bool slave) const {
    return slave ? slave_.state.level : master_.state.level;
}

void I8259::write_elcr(bool slave, std::uint8_t value) {
    if (slave)
        slave_.set_level_triggered(value & kElcrSlave);
    else
        master_.set_level_triggered(value & kElcrMaster);
    update_cascade();
}

void I8259::restore(const I8259Chip::State& master, const I8259Chip::State& slave) {
    master_.state = master;
    slave_.state = slave;
}

}  // namespace skep::guestdev
