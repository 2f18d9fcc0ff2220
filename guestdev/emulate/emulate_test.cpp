#include <guestdev/emulate/decoder.hpp>
#include <guestdev/emulate/executor.hpp>
#include <guestdev/emulate/page_walk.hpp>

#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

namespace skep::guestdev {
namespace {

using Code = std::vector<std::uint8_t>;

// What Zydis says of a length, if it knows the instruction and it has an explicit or string memory
// operand.
unsigned zydis_length(const Code& code, CodeSize size) {
    ZydisDecoder decoder;
    bool wide = size == CodeSize::Bits64;
    ZydisDecoderInit(&decoder,
                     wide ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
                     wide ? ZYDIS_STACK_WIDTH_64 : ZYDIS_STACK_WIDTH_32);
    ZydisDecodedInstruction instruction;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    if (!ZYAN_SUCCESS(
            ZydisDecoderDecodeFull(&decoder, code.data(), code.size(), &instruction, operands)))
        return 0;
    return instruction.length;
}

TEST(Decoder, AgreesWithZydisOnRandomBytes) {
    std::mt19937 random(1);
    constexpr std::uint8_t kPrefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0x2e,
                                          0x65, 0x40, 0x48, 0x4c, 0x45};
    unsigned known = 0;
    for (int i = 0; i < 300'000; i++) {
        Code code(15);
        for (auto& byte : code)
            byte = static_cast<std::uint8_t>(random());
        if (random() % 2)
            code[0] = kPrefixes[random() % std::size(kPrefixes)];
        CodeSize size = random() % 4 ? CodeSize::Bits64 : CodeSize::Bits32;
        auto mine = decode(code, size);
        // A LOCK that the instruction does not take is #UD, for the CPU to find: no exit gets here
        // with one.
        bool locked = std::find(code.begin(), code.begin() + 5, 0xf0) != code.begin() + 5;
        if (!mine || locked)
            continue;
        known++;
        unsigned theirs = zydis_length(code, size);
        std::string bytes;
        for (auto byte : code)
            bytes += std::to_string(byte) + " ";
        ASSERT_EQ(mine->length, theirs) << bytes << (size == CodeSize::Bits64 ? "64" : "32");
    }
    EXPECT_GT(known, 20'000u);
}

TEST(Decoder, TruncatedBytesAreRefused) {
    Code code = {0x48, 0xc7, 0x84, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8};
    ASSERT_TRUE(decode(code, CodeSize::Bits64));
    for (std::size_t i = 0; i < code.size(); i++)
        EXPECT_FALSE(decode(std::span(code).first(i), CodeSize::Bits64)) << i;
    EXPECT_FALSE(decode(Code(15, 0x66), CodeSize::Bits64));
}

// Memory by address, ports by number; everything is mapped one to one but the absent pages.
struct FakeAccess final : OperandAccess {
    std::expected<std::uint64_t, GuestFault> read(std::uint64_t linear, unsigned size) override {
        if (linear >= absent)
            return std::unexpected(GuestFault{14, true, 0, linear});
        std::uint64_t value = 0;
        for (unsigned i = 0; i < size; i++)
            value |= static_cast<std::uint64_t>(memory[linear + i]) << i * 8;
        return value;
    }
    std::expected<void, GuestFault> write(std::uint64_t linear, unsigned size,
                                          std::uint64_t value) override {
        if (linear >= absent)
            return std::unexpected(GuestFault{14, true, 2, linear});
        for (unsigned i = 0; i < size; i++)
            memory[linear + i] = static_cast<std::uint8_t>(value >> i * 8);
        return {};
    }
    std::uint64_t port_read(std::uint16_t port, unsigned size) override {
        return port * 0x11u + size;
    }
    void port_write(std::uint16_t port, unsigned, std::uint64_t value) override {
        out.emplace_back(port, value);
    }
    std::map<std::uint64_t, std::uint8_t> memory;
    std::vector<std::pair<std::uint16_t, std::uint64_t>> out;
    std::uint64_t absent = ~0ull;
};

struct ExecutorTest : testing::Test {
    ExecutorTest() {
        page.efer = 1 << 10;
        page.cs_access_rights = 1 << 13;
        page.rip = 0x1000;
        page.rflags = 2;
        page.general.rbx = 0x8000;
    }
    std::expected<void, GuestFault> run(const Code& code) {
        auto instruction = decode(code, code_size(page));
        EXPECT_TRUE(instruction);
        return execute(*instruction, page, access);
    }
    abi::VcpuPage page{};
    FakeAccess access;
};

TEST_F(ExecutorTest, MovesOfEachWidth) {
    page.general.rax = 0x1122334455667788;
    ASSERT_TRUE(run({0x48, 0x89, 0x03}));  // mov [rbx], rax
    EXPECT_EQ(access.read(0x8000, 8), 0x1122334455667788u);
    EXPECT_EQ(page.rip, 0x1003u);
    EXPECT_EQ(page.write_back, abi::kWriteBackGeneral | abi::kWriteBackRip);
    page.general.rcx = ~0ull;
    ASSERT_TRUE(run({0x8b, 0x0b}));  // mov ecx, [rbx]
    EXPECT_EQ(page.general.rcx, 0x55667788u);
    page.general.rcx = ~0ull;
    ASSERT_TRUE(run({0x66, 0x8b, 0x0b}));
    EXPECT_EQ(page.general.rcx, 0xffffffffffff7788u);
    ASSERT_TRUE(run({0x8a, 0x6b, 0x01}));  // mov ch, [rbx+1]
    EXPECT_EQ(page.general.rcx, 0xffffffffffff7788u);
    ASSERT_TRUE(run({0x0f, 0xb6, 0x4b, 0x03}));  // movzx ecx, byte [rbx+3]
    EXPECT_EQ(page.general.rcx, 0x55u);
    access.memory[0x8003] = 0x80;
    ASSERT_TRUE(run({0x48, 0x0f, 0xbe, 0x4b, 0x03}));  // movsx rcx, byte [rbx+3]
    EXPECT_EQ(page.general.rcx, 0xffffffffffffff80u);
    ASSERT_TRUE(run({0xc7, 0x43, 0x10, 0xff, 0xff, 0xff, 0xff}));  // mov dword [rbx+16], -1
    EXPECT_EQ(access.read(0x8010, 8), 0xffffffffu);
}

TEST_F(ExecutorTest, AddressForms) {
    access.memory[0x8000 + 3 * 8 - 4] = 0x42;
    page.general.r9 = 3;
    ASSERT_TRUE(run({0x42, 0x8a, 0x44, 0xcb, 0xfc}));  // mov al, [rbx+r9*8-4]
    EXPECT_EQ(page.general.rax & 0xff, 0x42u);
    page.rip = 0x7000;
    page.rip = 0x7000;
    access.memory[0x7000 + 8 + 0x20] = 0x43;
    ASSERT_TRUE(run({0x44, 0x0f, 0xb6, 0x3d, 0x20, 0, 0, 0}));  // movzx r15d, [rip+0x20]
    EXPECT_EQ(page.general.r15, 0x43u);
    page.segment_base[5] = 0x100000;
    access.memory[0x108000] = 0x44;
    ASSERT_TRUE(run({0x65, 0x8a, 0x03}));  // mov al, gs:[rbx]
    EXPECT_EQ(page.general.rax & 0xff, 0x44u);
    access.memory[0x123456789] = 0x45;
    ASSERT_TRUE(run({0xa0, 0x89, 0x67, 0x45, 0x23, 1, 0, 0, 0}));  // mov al, [abs64]
    EXPECT_EQ(page.general.rax & 0xff, 0x45u);
}

TEST_F(ExecutorTest, RepeatedStringsStopAtFaultsAndGoOn) {
    page.general.rsi = 0x8000;
    page.general.rdi = 0x9000;
    page.general.rcx = 6;
    for (unsigned i = 0; i < 6; i++)
        access.memory[0x8000 + i] = static_cast<std::uint8_t>(i + 1);
    access.absent = 0x9004;
    auto done = run({0xf3, 0xa4});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().address, 0x9004u);
    EXPECT_EQ(page.general.rcx, 2u);
    EXPECT_EQ(page.rip, 0x1000u);
    EXPECT_EQ(page.write_back, abi::kWriteBackGeneral);
    access.absent = ~0ull;
    ASSERT_TRUE(run({0xf3, 0xa4}));
    EXPECT_EQ(page.general.rcx, 0u);
    EXPECT_EQ(access.read(0x9000, 8), 0x060504030201u);
    EXPECT_EQ(page.rip, 0x1002u);
}

TEST_F(ExecutorTest, DirectionFlagAndPorts) {
    page.rflags |= 1 << 10;
    page.general.rdi = 0x8004;
    page.general.rax = 0xaabbccdd;
    page.general.rcx = 2;
    ASSERT_TRUE(run({0xf3, 0xab}));  // stosd
    EXPECT_EQ(access.read(0x8000, 8), 0xaabbccddaabbccddu);
    EXPECT_EQ(page.general.rdi, 0x7ffcu);
    page.rflags = 2;
    page.general.rdx = 0x60;
    page.general.rdi = 0x9000;
    ASSERT_TRUE(run({0x6c}));  // insb
    EXPECT_EQ(access.memory[0x9000], (0x60 * 0x11 + 1) & 0xff);
    page.general.rsi = 0x8000;
    page.general.rcx = 3;
    ASSERT_TRUE(run({0xf3, 0x66, 0x6f}));  // rep outsw
    EXPECT_EQ(access.out.size(), 3u);
    EXPECT_EQ(access.out[0], (std::pair<std::uint16_t, std::uint64_t>{0x60, 0xccdd}));
}

TEST_F(ExecutorTest, LongRepeatsLeaveTheRestToTheNextExit) {
    page.general.rdi = 0x8000;
    page.general.rcx = 5000;
    ASSERT_TRUE(run({0xf3, 0xaa}));
    EXPECT_EQ(page.general.rcx, 5000u - 4096u);
    EXPECT_EQ(page.rip, 0x1000u);
    ASSERT_TRUE(run({0xf3, 0xaa}));
    EXPECT_EQ(page.general.rcx, 0u);
    EXPECT_EQ(page.rip, 0x1002u);
}

TEST_F(ExecutorTest, BitOperations) {
    page.general.rcx = 100;
    ASSERT_TRUE(run({0xf0, 0x0f, 0xab, 0x0b}));  // lock bts [rbx], ecx
    EXPECT_EQ(access.memory[0x8000 + 12], 1 << 4);
    EXPECT_EQ(page.rflags & 1, 0u);
    ASSERT_TRUE(run({0x0f, 0xba, 0x73, 0x0c, 4}));  // btr dword [rbx+12], 4
    EXPECT_EQ(access.memory[0x8000 + 12], 0);
    EXPECT_EQ(page.rflags & 1, 1u);
    page.general.rcx = static_cast<std::uint64_t>(-1);
    ASSERT_TRUE(run({0x0f, 0xab, 0x0b}));
    EXPECT_EQ(access.memory[0x7fff], 0x80);
}

// The CPU that runs this test is the reference: the same instruction on registers, flags compared.
struct Native {
    std::uint64_t result, flags;
};
template <unsigned Which, typename T>
Native native(T a, T b, bool carry) {
    std::uint64_t flags;
    T result = a;
    std::uint8_t set_carry = carry ? 0xff : 0;
#define NATIVE(text)                                                   \
    asm volatile("addb $1, %2\n\t" text " %3, %0\n\tpushfq\n\tpopq %1" \
                 : "+r"(result), "=&r"(flags), "+q"(set_carry)         \
                 : "r"(b)                                              \
                 : "cc", "memory")
    if constexpr (Which == 0) {
        NATIVE("add");
    } else if constexpr (Which == 1) {
        NATIVE("or");
    } else if constexpr (Which == 2) {
        NATIVE("adc");
    } else if constexpr (Which == 3) {
        NATIVE("sbb");
    } else if constexpr (Which == 4) {
        NATIVE("and");
    } else if constexpr (Which == 5) {
        NATIVE("sub");
    } else if constexpr (Which == 6) {
        NATIVE("xor");
    } else {
        NATIVE("cmp");
    }
#undef NATIVE
    return {static_cast<std::uint64_t>(result), flags & 0x8d5};
}

template <unsigned Which, typename T>
void compare(ExecutorTest& test, std::mt19937_64& random) {
    constexpr T kEdges[] = {0,
                            1,
                            static_cast<T>(-1),
                            static_cast<T>(T{1} << (sizeof(T) * 8 - 1)),
                            static_cast<T>((T{1} << (sizeof(T) * 8 - 1)) - 1),
                            0x0f};
    for (int i = 0; i < 200; i++) {
        T a = i % 2 ? kEdges[random() % 6] : static_cast<T>(random());
        T b = i % 3 ? kEdges[random() % 6] : static_cast<T>(random());
        bool carry = random() & 1;
        Native expected = native<Which, T>(a, b, carry);
        ASSERT_TRUE(test.access.write(0x8000, sizeof(T), a));
        test.page.general.rcx = b;
        test.page.rflags = 2u | carry;
        Code code;
        if constexpr (sizeof(T) == 2)
            code.push_back(0x66);
        if constexpr (sizeof(T) == 8)
            code.push_back(0x48);
        code.push_back(static_cast<std::uint8_t>(Which << 3 | (sizeof(T) == 1 ? 0 : 1)));
        code.push_back(0x0b);  // [rbx], ecx
        ASSERT_TRUE(test.run(code));
        // AF after logic operations is undefined.
        std::uint64_t mask = Which == 1 || Which == 4 || Which == 6 ? 0x8c5u : 0x8d5u;
        EXPECT_EQ(test.page.rflags & mask, expected.flags & mask) << Which << " " << sizeof(T);
        EXPECT_EQ(test.access.read(0x8000, sizeof(T)), expected.result)
            << Which << " " << sizeof(T);
    }
}

template <unsigned Which>
void compare_widths(ExecutorTest& test, std::mt19937_64& random) {
    compare<Which, std::uint8_t>(test, random);
    compare<Which, std::uint16_t>(test, random);
    compare<Which, std::uint32_t>(test, random);
    compare<Which, std::uint64_t>(test, random);
}

TEST_F(ExecutorTest, ArithmeticAgreesWithThisProcessor) {
    std::mt19937_64 random(7);
    compare_widths<0>(*this, random);
    compare_widths<1>(*this, random);
    compare_widths<2>(*this, random);
    compare_widths<3>(*this, random);
    compare_widths<4>(*this, random);
    compare_widths<5>(*this, random);
    compare_widths<6>(*this, random);
    compare_widths<7>(*this, random);
}

TEST_F(ExecutorTest, ExchangesAndUnary) {
    ASSERT_TRUE(access.write(0x8000, 4, 5));
    page.general.rcx = 7;
    ASSERT_TRUE(run({0x87, 0x0b}));  // xchg [rbx], ecx
    EXPECT_EQ(page.general.rcx, 5u);
    EXPECT_EQ(access.read(0x8000, 4), 7u);
    page.general.rax = 7;
    ASSERT_TRUE(run({0xf0, 0x0f, 0xb1, 0x0b}));  // cmpxchg [rbx], ecx
    EXPECT_EQ(access.read(0x8000, 4), 5u);
    EXPECT_TRUE(page.rflags & 0x40);
    ASSERT_TRUE(run({0x0f, 0xb1, 0x0b}));
    EXPECT_EQ(page.general.rax, 5u);
    EXPECT_FALSE(page.rflags & 0x40);
    ASSERT_TRUE(run({0x0f, 0xc1, 0x0b}));  // xadd
    EXPECT_EQ(access.read(0x8000, 4), 10u);
    EXPECT_EQ(page.general.rcx, 5u);
    page.rflags = 3;
    ASSERT_TRUE(run({0xff, 0x03}));  // inc keeps CF
    EXPECT_EQ(access.read(0x8000, 4), 11u);
    EXPECT_TRUE(page.rflags & 1);
    ASSERT_TRUE(run({0xf7, 0x13}));  // not
    EXPECT_EQ(access.read(0x8000, 4), 0xfffffff4u);
    ASSERT_TRUE(run({0xf7, 0x1b}));  // neg
    EXPECT_EQ(access.read(0x8000, 4), 12u);
}

// ---- page walk

struct WalkTest : testing::Test {
    WalkTest() {
        memory.add(0, ram);
        // PML4 at 0x1000 -> 0x2000 -> 0x3000 -> 0x4000 (4 KiB pages), and a 2 MiB page.
        put(0x1000, 0x2007);
        put(0x2000, 0x3007);
        put(0x3000, 0x4007);
        put(0x4000, 0x5003);               // supervisor, writable
        put(0x4008, 0x6005);               // user, read-only
        put(0x4010, 0x7007 | 1ull << 63);  // no execute
        put(0x3008, 0x0020'0087);          // 2 MiB
    }
    void put(std::uint64_t at, std::uint64_t value) { ASSERT_TRUE(memory.write(at, value)); }
    PagingState state(bool user = false) {
        return {.cr0 = 1ull << 31 | 1 << 16,
                .cr3 = 0x1000,
                .cr4 = 1 << 5,
                .efer = 1 << 10 | 1 << 11,
                .user = user};
    }
    std::vector<std::byte> ram = std::vector<std::byte>(0x10000);
    GuestMemory memory;
};

TEST_F(WalkTest, TranslatesAndMarks) {
    EXPECT_EQ(walk(state(), memory, 0x123, WalkAccess::Read), 0x5123u);
    EXPECT_EQ(*memory.read<std::uint64_t>(0x4000), 0x5023u);
    EXPECT_EQ(walk(state(), memory, 0x123, WalkAccess::Write), 0x5123u);
    EXPECT_EQ(*memory.read<std::uint64_t>(0x4000), 0x5063u);
    EXPECT_EQ(walk(state(), memory, 0x20'0123, WalkAccess::Write), 0x20'0123u);
}

TEST_F(WalkTest, Faults) {
    auto code = [&](bool user, std::uint64_t linear, WalkAccess access) {
        auto result = walk(state(user), memory, linear, access);
        return result ? ~0u : result.error().code;
    };
    EXPECT_EQ(code(true, 0, WalkAccess::Read), 5u);
    EXPECT_EQ(code(false, 0x1000, WalkAccess::Write), 3u);
    EXPECT_EQ(code(false, 0x2000, WalkAccess::Execute), 0x11u);
    EXPECT_EQ(code(false, 0x9000, WalkAccess::Read), 0u);
    EXPECT_EQ(code(false, 0x8000'0000, WalkAccess::Write), 2u);
    auto result = walk(state(), memory, 0x8000'0000'0000, WalkAccess::Read);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().vector, 13);
}

TEST_F(WalkTest, TablesOutsideOfRamAreNotPresent) {
    put(0x1000, 0xffff'ffff'f007);
    EXPECT_FALSE(walk(state(), memory, 0, WalkAccess::Read));
}

}  // namespace
}  // namespace skep::guestdev
