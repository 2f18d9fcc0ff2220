// A decoder for what hv has to finish itself: the length of intercepted instructions, and the MOV
// family (with AND, OR, XOR, TEST, CMP and XCHG) when it touches the local APIC's page. Pure
// functions.
#pragma once

#include "hv/lib/types.hpp"

#include <optional>
#include <span>

namespace skep::hv {

enum class CodeSize : u8 {
    Bits16,
    Bits32,
    Bits64
};

// Length of an instruction without operands in memory, prefixes included, if its opcode is as
// expected. `opcode`: one to three bytes.
std::optional<u8> instruction_length(std::span<const u8> code, CodeSize size,
                                     std::span<const u8> opcode);

// MOV CR8, reg.
struct ControlWrite {
    u8 length, reg;
};
std::optional<ControlWrite> decode_cr8_write(std::span<const u8> code, CodeSize size);

struct MemoryOperation {
    enum class Kind : u8 {
        Load,
        Store,
        And,
        Or,
        Xor,
        Test,
        Compare,
        Exchange
    } kind;
    u8 length;          // of the instruction
    u8 width;           // of the memory operand in bytes
    u8 register_width;  // of a loaded register
    bool sign_extend;
    bool immediate;  // the other operand is `value`, else register `reg`
    bool high_byte;  // AH, CH, DH, BH: bits 15:8 of reg
    u8 reg;          // general register in ModRM order
    u64 value;
};

// The memory operand's address is not computed: the exit tells it.
std::optional<MemoryOperation> decode_memory_operation(std::span<const u8> code, CodeSize size);

}  // namespace skep::hv
