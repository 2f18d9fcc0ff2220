// Decodes the instructions that access memory outside of RAM or move strings through ports. Only
// what completes such an access is known; everything else is refused. 16-bit addressing is not.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace skep::guestdev {

enum class CodeSize {
    Bits16,
    Bits32,
    Bits64
};

// What the instruction does with its operands, in Intel's order: destination, source.
enum class Operation : std::uint8_t {
    Mov,
    MovZeroExtend,
    MovSignExtend,
    Add,
    Or,
    Adc,
    Sbb,
    And,
    Sub,
    Xor,
    Cmp,  // in the order of their encoding
    Test,
    Not,
    Neg,
    Inc,
    Dec,
    Xchg,
    Cmpxchg,
    Xadd,
    BitTest,
    BitSet,
    BitReset,
    BitComplement,  // likewise
    Movs,
    Stos,
    Lods,
    Ins,
    Outs,
};

enum class OperandKind : std::uint8_t {
    None,
    Memory,
    Register,
    Immediate
};

struct Operand {
    OperandKind kind = OperandKind::None;
    std::uint8_t size = 0;   // bytes
    std::uint8_t reg = 0;    // ModRM order
    bool high_byte = false;  // AH, CH, DH, BH
};

struct MemoryReference {
    std::optional<std::uint8_t> base, index;
    std::uint8_t scale = 1;
    std::int64_t displacement = 0;
    bool rip_relative = false;
};

struct Instruction {
    Operation operation;
    Operand destination, source;
    MemoryReference memory;
    std::uint64_t immediate = 0;  // sign-extended
    std::uint8_t address_size = 8;
    std::uint8_t segment = 3;  // ES CS SS DS FS GS
    bool repeat = false;
    std::uint8_t length = 0;
};

// Nothing if it is not one of these or the bytes do not hold all of it.
std::optional<Instruction> decode(std::span<const std::uint8_t> code, CodeSize size);

}  // namespace skep::guestdev
