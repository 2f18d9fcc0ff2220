#include "hv/guest/decoder.hpp"

#include <algorithm>

namespace skep::hv {

namespace {

constexpr std::size_t kMaxLength = 15;

// Bytes are taken one by one; running out makes every later one zero and `ok` false.
class Reader {
  public:
    explicit Reader(std::span<const u8> code)
        : code_(code.first(std::min(code.size(), kMaxLength))) {}

    u8 peek() const { return at_ < code_.size() ? code_[at_] : 0; }
    u8 next() {
        const u8 byte = peek();
        ok_ = ok_ && at_ < code_.size();
        ++at_;
        return byte;
    }
    u64 signed_immediate(unsigned bytes) {
        u64 value = 0;
        for (unsigned i = 0; i < bytes; ++i)
            value |= static_cast<u64>(next()) << 8 * i;
        const unsigned unused = 64 - 8 * bytes;
        return static_cast<u64>(static_cast<i64>(value << unused) >> unused);
    }
    void skip(unsigned bytes) {
        for (unsigned i = 0; i < bytes; ++i)
            next();
    }
    bool ok() const { return ok_; }
    u8 position() const { return static_cast<u8>(at_); }

  private:
    std::span<const u8> code_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

struct Prefixes {
    bool operand_size = false, address_size = false;
    u8 rex = 0;
};

Prefixes read_prefixes(Reader& reader, CodeSize size) {
    Prefixes prefixes;
    for (;;) {
        switch (reader.peek()) {
            case 0x66:
                prefixes.operand_size = true;
                break;
            case 0x67:
                prefixes.address_size = true;
                break;
            case 0x26:
            case 0x2e:
            case 0x36:
            case 0x3e:
            case 0x64:
            case 0x65:
            case 0xf0:
            case 0xf2:
            case 0xf3:
                break;
            default:
                if (size == CodeSize::Bits64 && (reader.peek() & 0xf0) == 0x40)
                    prefixes.rex = reader.next();
                return prefixes;
        }
        if (reader.position() >= kMaxLength)
            return prefixes;
        reader.next();
    }
}

// SIB and displacement, SDM vol. 2, tables 2-1 to 2-3. False: a register operand.
bool skip_address(Reader& reader, u8 modrm, bool addresses_16) {
    const unsigned mod = modrm >> 6, rm = modrm & 7;
    if (mod == 3)
        return false;
    if (addresses_16) {
        reader.skip(mod == 1 ? 1 : mod == 2 || rm == 6 ? 2 : 0);
        return true;
    }
    const u8 sib = rm == 4 ? reader.next() : 0;
    if (mod == 1)
        reader.skip(1);
    else if (mod == 2 || rm == 5 || (rm == 4 && (sib & 7) == 5))
        reader.skip(4);
    return true;
}

}  // namespace

std::optional<u8> instruction_length(std::span<const u8> code, CodeSize size,
                                     std::span<const u8> opcode) {
    Reader reader(code);
    read_prefixes(reader, size);
    for (const u8 byte : opcode) {
        if (reader.next() != byte)
            return std::nullopt;
    }
    return reader.ok() ? std::optional(reader.position()) : std::nullopt;
}

std::optional<ControlWrite> decode_cr8_write(std::span<const u8> code, CodeSize size) {
    Reader reader(code);
    const Prefixes prefixes = read_prefixes(reader, size);
    if (reader.next() != 0x0f || reader.next() != 0x22)
        return std::nullopt;
    const u8 modrm = reader.next();
    const unsigned rex_b = prefixes.rex & 1;
    // CR8 is REX.R with register 0, or LOCK with register 0 outside of 64-bit mode (APM vol. 3).
    if ((modrm >> 3 & 7) != 0 || !reader.ok())
        return std::nullopt;
    return ControlWrite{reader.position(), static_cast<u8>((modrm & 7) | rex_b << 3)};
}

std::optional<MemoryOperation> decode_memory_operation(std::span<const u8> code, CodeSize size) {
    using Kind = MemoryOperation::Kind;
    Reader reader(code);
    const Prefixes prefixes = read_prefixes(reader, size);
    const bool code_16 = size == CodeSize::Bits16;
    const u8 word_width = (prefixes.rex & 8) != 0 ? 8 : code_16 != prefixes.operand_size ? 2 : 4;
    const bool addresses_16 = size == CodeSize::Bits64 ? false : code_16 != prefixes.address_size;

    MemoryOperation operation{};
    u8 opcode = reader.next();
    const bool two_byte = opcode == 0x0f;
    if (two_byte)
        opcode = reader.next();

    // Everything below but A0..A3 has ModRM; bit 0 of most opcodes tells byte from word.
    const bool is_byte = (opcode & 1) == 0;
    operation.width = is_byte ? 1 : word_width;
    unsigned immediate_bytes = 0;
    bool has_modrm = true, group = false;

    if (two_byte) {
        switch (opcode) {
            case 0xb6:  // MOVZX, MOVSX
            case 0xb7:
            case 0xbe:
            case 0xbf:
                operation.kind = Kind::Load;
                operation.sign_extend = opcode >= 0xbe;
                operation.width = (opcode & 1) != 0 ? 2 : 1;
                operation.register_width = word_width;
                break;
            default:
                return std::nullopt;
        }
    } else {
        switch (opcode) {
            case 0x88:
            case 0x89:
                operation.kind = Kind::Store;
                break;
            case 0x8a:
            case 0x8b:
                operation.kind = Kind::Load;
                break;
            case 0xa0:
            case 0xa1:
                operation.kind = Kind::Load;
                has_modrm = false;
                break;
            case 0xa2:
            case 0xa3:
                operation.kind = Kind::Store;
                has_modrm = false;
                break;
            case 0xc6:
            case 0xc7:
                operation.kind = Kind::Store;
                immediate_bytes = std::min<u8>(operation.width, 4);
                break;
            case 0x20:
            case 0x21:
                operation.kind = Kind::And;
                break;
            case 0x08:
            case 0x09:
                operation.kind = Kind::Or;
                break;
            case 0x30:
            case 0x31:
                operation.kind = Kind::Xor;
                break;
            case 0x38:
            case 0x39:
                operation.kind = Kind::Compare;
                break;
            case 0x84:
            case 0x85:
                operation.kind = Kind::Test;
                break;
            case 0x86:
            case 0x87:
                operation.kind = Kind::Exchange;
                break;
            case 0x80:
            case 0x81:
                group = true;
                immediate_bytes = std::min<u8>(operation.width, 4);
                break;
            case 0x83:
                group = true;
                immediate_bytes = 1;
                break;
            case 0xf6:
            case 0xf7:
                operation.kind = Kind::Test;
                immediate_bytes = std::min<u8>(operation.width, 4);
                break;
            default:
                return std::nullopt;
        }
        operation.register_width = operation.width;
    }

    if (has_modrm) {
        const u8 modrm = reader.next();
        if (!skip_address(reader, modrm, addresses_16))
            return std::nullopt;
        const u8 extension = modrm >> 3 & 7;
        operation.reg = static_cast<u8>(extension | (prefixes.rex & 4) << 1);
        if (group) {
            constexpr std::optional<Kind> kGroup1[] = {{}, Kind::Or,  {},           {}, Kind::And,
                                                       {}, Kind::Xor, Kind::Compare};
            if (!kGroup1[extension])
                return std::nullopt;
            operation.kind = *kGroup1[extension];
        } else if (immediate_bytes != 0 && extension > (operation.kind == Kind::Test ? 1 : 0)) {
            return std::nullopt;  // C6/C7 have only /0, of F6/F7 only TEST is wanted
        }
        // AH..BH exist for byte registers without REX.
        const bool byte_register = two_byte ? false : is_byte;
        if (byte_register && prefixes.rex == 0 && immediate_bytes == 0 && operation.reg >= 4) {
            operation.high_byte = true;
            operation.reg &= 3;
        }
    } else {
        reader.skip(size == CodeSize::Bits64 ? (prefixes.address_size ? 4 : 8)
                    : addresses_16           ? 2
                                             : 4);
    }
    if (immediate_bytes != 0) {
        operation.immediate = true;
        operation.value = reader.signed_immediate(immediate_bytes);
    }
    if (!reader.ok())
        return std::nullopt;
    operation.length = reader.position();
    return operation;
}

}  // namespace skep::hv
