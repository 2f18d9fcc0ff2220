#include <guestdev/emulate/executor.hpp>

#include <guestdev/core/bus.hpp>
#include <guestdev/core/error.hpp>

#include <bit>
#include <cstring>
#include <utility>

namespace skep::guestdev {
namespace {

enum Flag : std::uint64_t {
    kCarry = 1 << 0,
    kParity = 1 << 2,
    kAdjust = 1 << 4,
    kZero = 1 << 6,
    kSign = 1 << 7,
    kDirection = 1 << 10,
    kOverflow = 1 << 11,
};
constexpr std::uint64_t kStatusFlags = kCarry | kParity | kAdjust | kZero | kSign | kOverflow;

constexpr std::uint64_t kEferLma = 1 << 10;
constexpr std::uint32_t kCsLong = 1 << 13, kCsDefault32 = 1 << 14;  // access rights
constexpr std::uint8_t kEs = 0, kFs = 4;
constexpr unsigned kRax = 0, kRcx = 1, kRdx = 2, kRsi = 6, kRdi = 7;

// So that one instruction does not hold the devices for long.
constexpr std::uint64_t kRepeatStep = 4096;

std::uint64_t& register_at(abi::VcpuPage& page, unsigned number) {
    // GeneralRegisters is sixteen 64-bit registers in ModRM order.
    static_assert(sizeof(abi::GeneralRegisters) == 16 * 8);
    return (&page.general.rax)[number & 15];
}

std::uint64_t sign_extend(std::uint64_t value, unsigned size) {
    unsigned unused = 64 - size * 8;
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(value << unused) >> unused);
}

std::uint64_t sign_bit(unsigned size) {
    return 1ull << (size * 8 - 1);
}

std::uint64_t result_flags(std::uint64_t result, unsigned size) {
    std::uint64_t flags = 0;
    if ((result & all_ones(size)) == 0)
        flags |= kZero;
    if (result & sign_bit(size))
        flags |= kSign;
    if (std::popcount(result & 0xff) % 2 == 0)
        flags |= kParity;
    return flags;
}

struct Outcome {
    std::uint64_t value, flags;
};

Outcome add(std::uint64_t a, std::uint64_t b, bool carry, unsigned size) {
    std::uint64_t mask = all_ones(size);
    std::uint64_t sum = (a + b + carry) & mask;
    std::uint64_t flags = result_flags(sum, size);
    // The carry out of each bit (SDM vol. 1, 3.4.3.1).
    std::uint64_t carries = (a & b) | ((a | b) & ~sum);
    if (carries & sign_bit(size))
        flags |= kCarry;
    if ((a ^ b ^ sum) & 0x10)
        flags |= kAdjust;
    if (~(a ^ b) & (a ^ sum) & sign_bit(size))
        flags |= kOverflow;
    return {sum, flags};
}

Outcome subtract(std::uint64_t a, std::uint64_t b, bool borrow, unsigned size) {
    std::uint64_t difference = (a - b - borrow) & all_ones(size);
    std::uint64_t flags = result_flags(difference, size);
    std::uint64_t borrows = (~a & b) | ((~a | b) & difference);
    if (borrows & sign_bit(size))
        flags |= kCarry;
    if ((a ^ b ^ difference) & 0x10)
        flags |= kAdjust;
    if ((a ^ b) & (a ^ difference) & sign_bit(size))
        flags |= kOverflow;
    return {difference, flags};
}

Outcome logic(std::uint64_t value, unsigned size) {
    return {value, result_flags(value, size)};
}

class Executor {
  public:
    Executor(const Instruction& instruction, abi::VcpuPage& page, OperandAccess& access)
        : instruction_(instruction), page_(page), access_(access) {}

    std::expected<void, GuestFault> run() {
        switch (instruction_.operation) {
            case Operation::Movs:
            case Operation::Stos:
            case Operation::Lods:
            case Operation::Ins:
            case Operation::Outs:
                return run_string();
            default:
                return run_plain();
        }
    }

  private:
    std::uint64_t address_mask() const { return all_ones(instruction_.address_size); }

    std::uint64_t effective_address() const {
        const MemoryReference& memory = instruction_.memory;
        auto offset = static_cast<std::uint64_t>(memory.displacement);
        if (memory.base)
            offset += register_at(page_, *memory.base);
        if (memory.index)
            offset += register_at(page_, *memory.index) * memory.scale;
        if (memory.rip_relative)
            offset += page_.rip + instruction_.length;
        return linear_address(page_, instruction_.segment, (offset + bit_offset_) & address_mask());
    }

    std::expected<std::uint64_t, GuestFault> get(const Operand& operand) const {
        switch (operand.kind) {
            case OperandKind::Memory:
                return access_.read(effective_address(), operand.size);
            case OperandKind::Register:
                return register_at(page_, operand.reg) >> (operand.high_byte ? 8 : 0) &
                       all_ones(operand.size);
            case OperandKind::Immediate:
                return instruction_.immediate & all_ones(operand.size);
            default:
                return 0;
        }
    }
    std::expected<void, GuestFault> put(const Operand& operand, std::uint64_t value) {
        if (operand.kind == OperandKind::Memory)
            return access_.write(effective_address(), operand.size, value);
        if (operand.kind != OperandKind::Register)
            return {};
        std::uint64_t& reg = register_at(page_, operand.reg);
        if (operand.size == 8 || operand.size == 4) {
            reg = value & all_ones(operand.size);  // 32-bit results clear the upper half
        } else {
            unsigned shift = operand.high_byte ? 8 : 0;
            std::uint64_t mask = all_ones(operand.size) << shift;
            reg = (reg & ~mask) | (value << shift & mask);
        }
        return {};
    }

    void set_flags(std::uint64_t flags, std::uint64_t mask = kStatusFlags) {
        page_.rflags = (page_.rflags & ~mask) | (flags & mask);
        page_.write_back |= abi::kWriteBackRflags;
    }
    void finish() {
        std::uint64_t rip = page_.rip + instruction_.length;
        page_.rip = code_size(page_) == CodeSize::Bits64 ? rip : rip & 0xffff'ffff;
        page_.write_back |= abi::kWriteBackGeneral | abi::kWriteBackRip;
    }

    std::expected<void, GuestFault> run_plain();
    std::expected<void, GuestFault> run_bit(std::uint64_t source);
    std::expected<void, GuestFault> run_string();
    std::expected<void, GuestFault> string_step(unsigned size);

    const Instruction& instruction_;
    abi::VcpuPage& page_;
    OperandAccess& access_;
    std::uint64_t bit_offset_ = 0;
};

std::expected<void, GuestFault> Executor::run_plain() {
    const Operand& destination = instruction_.destination;
    unsigned size = destination.size;
    std::uint64_t b = SKEP_TRY(get(instruction_.source));
    switch (instruction_.operation) {
        case Operation::Mov:
        case Operation::MovZeroExtend:
            SKEP_TRY(put(destination, b));
            break;
        case Operation::MovSignExtend:
            SKEP_TRY(put(destination, sign_extend(b, instruction_.source.size)));
            break;
        case Operation::BitTest:
        case Operation::BitSet:
        case Operation::BitReset:
        case Operation::BitComplement:
            SKEP_TRY(run_bit(b));
            break;
        default: {
            std::uint64_t a = SKEP_TRY(get(destination));
            bool carry = page_.rflags & kCarry;
            Outcome outcome{};
            bool store = true;
            std::uint64_t flags = kStatusFlags;
            switch (instruction_.operation) {
                case Operation::Add:
                    outcome = add(a, b, false, size);
                    break;
                case Operation::Adc:
                    outcome = add(a, b, carry, size);
                    break;
                case Operation::Sub:
                    outcome = subtract(a, b, false, size);
                    break;
                case Operation::Sbb:
                    outcome = subtract(a, b, carry, size);
                    break;
                case Operation::Or:
                    outcome = logic(a | b, size);
                    break;
                case Operation::And:
                    outcome = logic(a & b, size);
                    break;
                case Operation::Xor:
                    outcome = logic(a ^ b, size);
                    break;
                case Operation::Cmp:
                    outcome = subtract(a, b, false, size);
                    store = false;
                    break;
                case Operation::Test:
                    outcome = logic(a & b, size);
                    store = false;
                    break;
                case Operation::Not:
                    outcome.value = ~a;
                    flags = 0;
                    break;
                case Operation::Neg:
                    outcome = subtract(0, a, false, size);
                    break;
                case Operation::Inc:
                    outcome = add(a, 1, false, size);
                    flags &= ~kCarry;
                    break;
                case Operation::Dec:
                    outcome = subtract(a, 1, false, size);
                    flags &= ~kCarry;
                    break;
                case Operation::Xchg:
                    outcome.value = b;
                    flags = 0;
                    break;
                case Operation::Xadd:
                    outcome = add(a, b, false, size);
                    break;
                case Operation::Cmpxchg: {
                    Operand accumulator = {OperandKind::Register, static_cast<std::uint8_t>(size),
                                           0, false};
                    std::uint64_t expected = SKEP_TRY(get(accumulator));
                    outcome = subtract(expected, a, false, size);
                    // The destination is written either way (SDM: with its own value).
                    outcome.value = expected == a ? b : a;
                    if (expected != a)
                        SKEP_TRY(put(accumulator, a));
                    break;
                }
                default:
                    std::unreachable();
            }
            if (store)
                SKEP_TRY(put(destination, outcome.value));
            if (instruction_.operation == Operation::Xchg ||
                instruction_.operation == Operation::Xadd)
                SKEP_TRY(put(instruction_.source, a));
            if (flags)
                set_flags(outcome.flags, flags);
            break;
        }
    }
    finish();
    return {};
}

// A bit number in a register may reach beyond the operand; an immediate may not (SDM vol. 2, BT).
std::expected<void, GuestFault> Executor::run_bit(std::uint64_t source) {
    const Operand& destination = instruction_.destination;
    unsigned bits = destination.size * 8u;
    if (destination.kind == OperandKind::Memory &&
        instruction_.source.kind == OperandKind::Register) {
        auto number = static_cast<std::int64_t>(sign_extend(source, destination.size));
        std::int64_t word = number >> std::countr_zero(bits);
        bit_offset_ = static_cast<std::uint64_t>(word) * destination.size;
    }
    std::uint64_t bit = 1ull << (source & (bits - 1));
    std::uint64_t value = SKEP_TRY(get(destination));
    set_flags((value & bit) != 0 ? std::uint64_t{kCarry} : 0, kCarry);
    switch (instruction_.operation) {
        case Operation::BitSet:
            return put(destination, value | bit);
        case Operation::BitReset:
            return put(destination, value & ~bit);
        case Operation::BitComplement:
            return put(destination, value ^ bit);
        default:
            return {};
    }
}

std::expected<void, GuestFault> Executor::string_step(unsigned size) {
    std::uint64_t step = page_.rflags & kDirection ? 0 - std::uint64_t{size} : size;
    auto advance = [&](unsigned number) {
        std::uint64_t& reg = register_at(page_, number);
        reg = (reg + step) & address_mask();
    };
    auto source = [&] {
        return linear_address(page_, instruction_.segment,
                              register_at(page_, kRsi) & address_mask());
    };
    auto destination = [&] {
        return linear_address(page_, kEs, register_at(page_, kRdi) & address_mask());
    };
    auto port = static_cast<std::uint16_t>(register_at(page_, kRdx));
    switch (instruction_.operation) {
        case Operation::Movs:
            SKEP_TRY(access_.write(destination(), size, SKEP_TRY(access_.read(source(), size))));
            advance(kRsi);
            advance(kRdi);
            break;
        case Operation::Stos:
            SKEP_TRY(access_.write(destination(), size, register_at(page_, kRax) & all_ones(size)));
            advance(kRdi);
            break;
        case Operation::Lods: {
            Operand accumulator = {OperandKind::Register, static_cast<std::uint8_t>(size), 0,
                                   false};
            SKEP_TRY(put(accumulator, SKEP_TRY(access_.read(source(), size))));
            advance(kRsi);
            break;
        }
        case Operation::Ins:
            // The target is checked before the port is read: a port has side effects.
            SKEP_TRY(access_.read(destination(), size));
            SKEP_TRY(access_.write(destination(), size, access_.port_read(port, size)));
            advance(kRdi);
            break;
        case Operation::Outs:
            access_.port_write(port, size, SKEP_TRY(access_.read(source(), size)));
            advance(kRsi);
            break;
        default:
            std::unreachable();
    }
    return {};
}

std::expected<void, GuestFault> Executor::run_string() {
    unsigned size = instruction_.destination.size;
    if (!instruction_.repeat) {
        SKEP_TRY(string_step(size));
        finish();
        return {};
    }
    page_.write_back |= abi::kWriteBackGeneral;
    std::uint64_t& counter = register_at(page_, kRcx);
    for (std::uint64_t done = 0; (counter & address_mask()) != 0; done++) {
        if (done == kRepeatStep)
            return {};  // the guest executes it again and gets here with the rest
        SKEP_TRY(string_step(size));
        counter = (counter - 1) & address_mask();
    }
    finish();
    return {};
}

}  // namespace

CodeSize code_size(const abi::VcpuPage& page) {
    if ((page.efer & kEferLma) && (page.cs_access_rights & kCsLong))
        return CodeSize::Bits64;
    return page.cs_access_rights & kCsDefault32 ? CodeSize::Bits32 : CodeSize::Bits16;
}

std::uint64_t linear_address(const abi::VcpuPage& page, std::uint8_t segment,
                             std::uint64_t offset) {
    // 64-bit code has bases in FS and GS only.
    if (code_size(page) == CodeSize::Bits64)
        return segment >= kFs ? offset + page.segment_base[segment] : offset;
    return (offset + page.segment_base[segment]) & 0xffff'ffff;
}

std::expected<void, GuestFault> execute(const Instruction& instruction, abi::VcpuPage& page,
                                        OperandAccess& access) {
    return Executor(instruction, page, access).run();
}

}  // namespace skep::guestdev
