// SDM vol. 2, chapter 2 (formats) and appendix A (opcode maps).
#include <guestdev/emulate/decoder.hpp>

namespace skep::guestdev {
namespace {

constexpr std::uint8_t kCs = 1, kSs = 2, kDs = 3;
constexpr std::uint8_t kRsp = 4, kRbp = 5;

class Reader {
  public:
    explicit Reader(std::span<const std::uint8_t> code) : code_(code) {}

    bool ok() const { return ok_; }
    std::uint8_t position() const { return static_cast<std::uint8_t>(at_); }
    std::uint8_t next() {
        if (at_ >= code_.size() || at_ >= 15) {
            ok_ = false;
            return 0;
        }
        return code_[at_++];
    }
    std::uint64_t unsigned_value(unsigned size) {
        std::uint64_t value = 0;
        for (unsigned i = 0; i < size; i++)
            value |= static_cast<std::uint64_t>(next()) << i * 8;
        return value;
    }
    std::int64_t signed_value(unsigned size) {
        unsigned unused = 64 - size * 8;
        return static_cast<std::int64_t>(unsigned_value(size) << unused) >> unused;
    }

  private:
    std::span<const std::uint8_t> code_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

struct Prefixes {
    bool operand_size = false, address_size = false, repeat = false;
    std::uint8_t rex = 0;
    std::optional<std::uint8_t> segment;

    bool wide() const { return rex & 8; }
    std::uint8_t reg_extension() const { return static_cast<std::uint8_t>((rex & 4) << 1); }
    std::uint8_t index_extension() const { return static_cast<std::uint8_t>((rex & 2) << 2); }
    std::uint8_t base_extension() const { return static_cast<std::uint8_t>((rex & 1) << 3); }
};

class Decoder {
  public:
    Decoder(std::span<const std::uint8_t> code, CodeSize size) : reader_(code), size_(size) {}

    std::optional<Instruction> decode() {
        std::uint8_t opcode = read_prefixes();
        set_sizes();
        bool known = opcode == 0x0f ? two_byte(reader_.next()) : one_byte(opcode);
        if (!known || !reader_.ok())
            return std::nullopt;
        bool accesses_memory = instruction_.operation >= Operation::Movs ||
                               instruction_.destination.kind == OperandKind::Memory ||
                               instruction_.source.kind == OperandKind::Memory;
        if (!accesses_memory)
            return std::nullopt;
        instruction_.length = reader_.position();
        return instruction_;
    }

  private:
    std::uint8_t read_prefixes() {
        while (true) {
            std::uint8_t byte = reader_.next();
            switch (byte) {
                case 0x66:
                    prefixes_.operand_size = true;
                    break;
                case 0x67:
                    prefixes_.address_size = true;
                    break;
                case 0xf0:
                    break;  // LOCK: the device lock makes every access atomic
                case 0xf2:
                case 0xf3:
                    prefixes_.repeat = true;
                    break;
                case 0x26:
                    prefixes_.segment = 0;
                    break;
                case 0x2e:
                    prefixes_.segment = kCs;
                    break;
                case 0x36:
                    prefixes_.segment = kSs;
                    break;
                case 0x3e:
                    prefixes_.segment = kDs;
                    break;
                case 0x64:
                    prefixes_.segment = 4;
                    break;
                case 0x65:
                    prefixes_.segment = 5;
                    break;
                default:
                    if (size_ == CodeSize::Bits64 && (byte & 0xf0) == 0x40) {
                        prefixes_.rex = byte;
                        return reader_.next();
                    }
                    return byte;
            }
            if (!reader_.ok())
                return 0;
        }
    }

    void set_sizes() {
        bool sixteen = size_ == CodeSize::Bits16;
        operand_size_ = prefixes_.wide() ? 8 : prefixes_.operand_size != sixteen ? 2 : 4;
        if (size_ == CodeSize::Bits64)
            instruction_.address_size = prefixes_.address_size ? 4 : 8;
        else
            instruction_.address_size = prefixes_.address_size != sixteen ? 2 : 4;
        instruction_.repeat = prefixes_.repeat;
        instruction_.segment = prefixes_.segment.value_or(kDs);
    }

    // Bit 0 of most opcodes: 0 = bytes.
    std::uint8_t width(std::uint8_t opcode) const { return opcode & 1 ? operand_size_ : 1; }

    Operand reg_operand(std::uint8_t reg, std::uint8_t size) const {
        // Without REX, byte registers 4..7 are AH, CH, DH, BH.
        if (size == 1 && !prefixes_.rex && reg >= 4)
            return {OperandKind::Register, 1, static_cast<std::uint8_t>(reg - 4), true};
        return {OperandKind::Register, size, reg, false};
    }
    static Operand immediate_operand(std::uint8_t size) {
        return {OperandKind::Immediate, size, 0, false};
    }
    void read_immediate(std::uint8_t size) {
        // No immediate is wider than 32 bits but that of MOV to a register.
        instruction_.immediate =
            static_cast<std::uint64_t>(reader_.signed_value(size == 8 ? 4 : size));
    }

    // ModRM, SIB and displacement (2.1.5). Keeps the reg field.
    bool read_modrm() {
        std::uint8_t modrm = reader_.next();
        std::uint8_t mod = modrm >> 6;
        std::uint8_t rm = modrm & 7;
        reg_field_ = modrm >> 3 & 7;
        reg_ = static_cast<std::uint8_t>(reg_field_ | prefixes_.reg_extension());
        memory_form_ = mod != 3;
        if (!memory_form_) {
            rm_register_ = static_cast<std::uint8_t>(rm | prefixes_.base_extension());
            return true;
        }
        if (instruction_.address_size == 2)
            return false;
        MemoryReference& memory = instruction_.memory;
        if (rm == 4) {
            std::uint8_t sib = reader_.next();
            auto index = static_cast<std::uint8_t>((sib >> 3 & 7) | prefixes_.index_extension());
            if (index != kRsp)
                memory.index = index;
            memory.scale = static_cast<std::uint8_t>(1 << (sib >> 6));
            if ((sib & 7) != kRbp || mod != 0)
                memory.base = static_cast<std::uint8_t>((sib & 7) | prefixes_.base_extension());
            else
                memory.displacement = reader_.signed_value(4);
        } else if (rm == kRbp && mod == 0) {
            memory.displacement = reader_.signed_value(4);
            memory.rip_relative = size_ == CodeSize::Bits64;
        } else {
            memory.base = static_cast<std::uint8_t>(rm | prefixes_.base_extension());
        }
        if (mod == 1)
            memory.displacement = reader_.signed_value(1);
        if (mod == 2)
            memory.displacement = reader_.signed_value(4);
        // 2.1.5: the stack's registers imply SS; REX.B does not matter for that.
        if (!prefixes_.segment && memory.base && (*memory.base == kRsp || *memory.base == kRbp))
            instruction_.segment = kSs;
        return true;
    }
    Operand rm_operand(std::uint8_t size) const {
        if (memory_form_)
            return {OperandKind::Memory, size, 0, false};
        return reg_operand(rm_register_, size);
    }

    bool rm_and_reg(Operation operation, std::uint8_t size, bool to_reg) {
        if (!read_modrm())
            return false;
        instruction_.operation = operation;
        instruction_.destination = to_reg ? reg_operand(reg_, size) : rm_operand(size);
        instruction_.source = to_reg ? rm_operand(size) : reg_operand(reg_, size);
        return true;
    }
    bool rm_and_immediate(Operation operation, std::uint8_t size, std::uint8_t immediate_size) {
        instruction_.operation = operation;
        instruction_.destination = rm_operand(size);
        instruction_.source = immediate_operand(size);
        read_immediate(immediate_size);
        return true;
    }
    bool extend(Operation operation, std::uint8_t from) {
        if (!read_modrm())
            return false;
        instruction_.operation = operation;
        instruction_.destination = reg_operand(reg_, operand_size_);
        instruction_.source = rm_operand(from);
        return true;
    }
    bool string(Operation operation, std::uint8_t size) {
        instruction_.operation = operation;
        instruction_.destination.size = instruction_.source.size = size;
        return instruction_.address_size != 2;
    }
    bool unary(Operation operation, std::uint8_t size) {
        instruction_.operation = operation;
        instruction_.destination = rm_operand(size);
        return true;
    }

    bool one_byte(std::uint8_t opcode) {
        // 00-3F: eight operations, each r/m,reg and reg,r/m in bytes and words.
        if (opcode < 0x40 && (opcode & 7) < 4) {
            auto operation =
                static_cast<Operation>(static_cast<unsigned>(Operation::Add) + (opcode >> 3));
            return rm_and_reg(operation, width(opcode), opcode & 2);
        }
        switch (opcode) {
            case 0x63:
                return size_ == CodeSize::Bits64 && extend(Operation::MovSignExtend, 4);
            case 0x6c:
            case 0x6d:
                return string(Operation::Ins, port_width(opcode));
            case 0x6e:
            case 0x6f:
                return string(Operation::Outs, port_width(opcode));
            case 0x80:
            case 0x81:
            case 0x83: {
                if (!read_modrm())
                    return false;
                auto operation =
                    static_cast<Operation>(static_cast<unsigned>(Operation::Add) + reg_field_);
                return rm_and_immediate(operation, width(opcode),
                                        opcode == 0x81 ? operand_size_ : std::uint8_t{1});
            }
            case 0x84:
            case 0x85:
                return rm_and_reg(Operation::Test, width(opcode), false);
            case 0x86:
            case 0x87:
                return rm_and_reg(Operation::Xchg, width(opcode), false);
            case 0x88:
            case 0x89:
                return rm_and_reg(Operation::Mov, width(opcode), false);
            case 0x8a:
            case 0x8b:
                return rm_and_reg(Operation::Mov, width(opcode), true);
            case 0xa0:
            case 0xa1:
            case 0xa2:
            case 0xa3:
                return absolute(opcode);
            case 0xa4:
            case 0xa5:
                return string(Operation::Movs, width(opcode));
            case 0xaa:
            case 0xab:
                return string(Operation::Stos, width(opcode));
            case 0xac:
            case 0xad:
                return string(Operation::Lods, width(opcode));
            case 0xc6:
            case 0xc7:
                return read_modrm() && reg_field_ == 0 &&
                       rm_and_immediate(Operation::Mov, width(opcode), width(opcode));
            case 0xf6:
            case 0xf7:
                if (!read_modrm())
                    return false;
                if (reg_field_ <= 1)
                    return rm_and_immediate(Operation::Test, width(opcode), width(opcode));
                return reg_field_ <= 3 &&
                       unary(reg_field_ == 2 ? Operation::Not : Operation::Neg, width(opcode));
            case 0xfe:
            case 0xff:
                return read_modrm() && reg_field_ <= 1 &&
                       unary(reg_field_ == 0 ? Operation::Inc : Operation::Dec, width(opcode));
            default:
                return false;
        }
    }
    // Ports are 32 bits wide at most.
    std::uint8_t port_width(std::uint8_t opcode) const {
        std::uint8_t size = width(opcode);
        return size == 8 ? 4 : size;
    }
    // MOV between the accumulator and an address in the instruction.
    bool absolute(std::uint8_t opcode) {
        if (instruction_.address_size == 2)
            return false;
        instruction_.memory.displacement =
            static_cast<std::int64_t>(reader_.unsigned_value(instruction_.address_size));
        Operand accumulator = {OperandKind::Register, width(opcode), 0, false};
        Operand memory = {OperandKind::Memory, width(opcode), 0, false};
        instruction_.operation = Operation::Mov;
        instruction_.destination = opcode & 2 ? memory : accumulator;
        instruction_.source = opcode & 2 ? accumulator : memory;
        return true;
    }

    bool two_byte(std::uint8_t opcode) {
        switch (opcode) {
            case 0xa3:
                return rm_and_reg(Operation::BitTest, operand_size_, false);
            case 0xab:
                return rm_and_reg(Operation::BitSet, operand_size_, false);
            case 0xb3:
                return rm_and_reg(Operation::BitReset, operand_size_, false);
            case 0xbb:
                return rm_and_reg(Operation::BitComplement, operand_size_, false);
            case 0xba: {
                if (!read_modrm() || reg_field_ < 4)
                    return false;
                auto operation = static_cast<Operation>(static_cast<unsigned>(Operation::BitTest) +
                                                        reg_field_ - 4u);
                return rm_and_immediate(operation, operand_size_, 1);
            }
            case 0xb0:
            case 0xb1:
                return rm_and_reg(Operation::Cmpxchg, width(opcode), false);
            case 0xc0:
            case 0xc1:
                return rm_and_reg(Operation::Xadd, width(opcode), false);
            case 0xb6:
            case 0xb7:
                return extend(Operation::MovZeroExtend, opcode & 1 ? 2 : 1);
            case 0xbe:
            case 0xbf:
                return extend(Operation::MovSignExtend, opcode & 1 ? 2 : 1);
            case 0xc3:
                return rm_and_reg(Operation::Mov, operand_size_, false);  // MOVNTI
            default:
                return false;
        }
    }

    Reader reader_;
    CodeSize size_;
    Prefixes prefixes_;
    std::uint8_t operand_size_ = 4;
    std::uint8_t reg_field_ = 0, reg_ = 0, rm_register_ = 0;
    bool memory_form_ = false;
    Instruction instruction_{};
};

}  // namespace

std::optional<Instruction> decode(std::span<const std::uint8_t> code, CodeSize size) {
    return Decoder(code, size).decode();
}

}  // namespace skep::guestdev
