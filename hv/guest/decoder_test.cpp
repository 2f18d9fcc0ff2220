#include "hv/guest/decoder.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace skep::hv {
namespace {

using Kind = MemoryOperation::Kind;
using Bytes = std::vector<u8>;

std::optional<MemoryOperation> decode(const Bytes& code, CodeSize size = CodeSize::Bits64) {
    return decode_memory_operation(code, size);
}

TEST(InstructionLength, CountsPrefixes) {
    const u8 cpuid[] = {0x0f, 0xa2};
    EXPECT_EQ(instruction_length(Bytes{0x0f, 0xa2, 0x90}, CodeSize::Bits64, cpuid), 2);
    EXPECT_EQ(instruction_length(Bytes{0x66, 0xf3, 0x48, 0x0f, 0xa2}, CodeSize::Bits64, cpuid), 5);
    EXPECT_FALSE(instruction_length(Bytes{0x48, 0x0f, 0xa2}, CodeSize::Bits32, cpuid))
        << "48 is DEC EAX there";
    EXPECT_FALSE(instruction_length(Bytes{0x0f}, CodeSize::Bits64, cpuid));
    EXPECT_FALSE(instruction_length(Bytes(20, 0x66), CodeSize::Bits64, cpuid));
}

TEST(Decoder, MoveForms) {
    auto op = decode({0x89, 0x87, 0x80, 0x03, 0x00, 0x00});  // mov %eax, 0x380(%rdi)
    ASSERT_TRUE(op);
    EXPECT_EQ(op->kind, Kind::Store);
    EXPECT_EQ(op->length, 6);
    EXPECT_EQ(op->width, 4);
    EXPECT_EQ(op->reg, 0);

    op = decode({0x44, 0x8b, 0x4c, 0x24, 0x20});  // mov 0x20(%rsp), %r9d
    ASSERT_TRUE(op);
    EXPECT_EQ(op->kind, Kind::Load);
    EXPECT_EQ(op->length, 5);
    EXPECT_EQ(op->reg, 9);

    op = decode({0xc7, 0x05, 0x10, 0x00, 0x00, 0x00, 0x78, 0x56, 0x34, 0x12});  // RIP-relative
    ASSERT_TRUE(op);
    EXPECT_EQ(op->length, 10);
    EXPECT_TRUE(op->immediate);
    EXPECT_EQ(op->value, 0x12345678u);

    op = decode({0x48, 0xc7, 0x00, 0xff, 0xff, 0xff, 0xff});  // movq $-1, (%rax)
    ASSERT_TRUE(op);
    EXPECT_EQ(op->width, 8);
    EXPECT_EQ(op->value, ~u64{0});

    op = decode({0xa1, 0x20, 0x00, 0xe0, 0xfe, 0, 0, 0, 0});  // movabs 0xfee00020, %eax
    ASSERT_TRUE(op);
    EXPECT_EQ(op->length, 9);
    op = decode({0xa3, 0x20, 0x00, 0xe0, 0xfe}, CodeSize::Bits32);
    ASSERT_TRUE(op);
    EXPECT_EQ(op->length, 5);
    EXPECT_EQ(op->kind, Kind::Store);
}

TEST(Decoder, Extension) {
    auto op = decode({0x0f, 0xb6, 0x43, 0x10});  // movzbl 0x10(%rbx), %eax
    ASSERT_TRUE(op);
    EXPECT_EQ(op->width, 1);
    EXPECT_EQ(op->register_width, 4);
    EXPECT_FALSE(op->sign_extend);
    op = decode({0x48, 0x0f, 0xbf, 0x03});  // movswq (%rbx), %rax
    ASSERT_TRUE(op);
    EXPECT_EQ(op->width, 2);
    EXPECT_EQ(op->register_width, 8);
    EXPECT_TRUE(op->sign_extend);
}

TEST(Decoder, ByteRegisters) {
    auto op = decode({0x88, 0x23});  // mov %ah, (%rbx)
    ASSERT_TRUE(op);
    EXPECT_TRUE(op->high_byte);
    EXPECT_EQ(op->reg, 0);
    op = decode({0x40, 0x88, 0x23});  // mov %spl, (%rbx)
    ASSERT_TRUE(op);
    EXPECT_FALSE(op->high_byte);
    EXPECT_EQ(op->reg, 4);
}

TEST(Decoder, Arithmetic) {
    auto op = decode({0x83, 0x0b, 0x80});  // orl $-128, (%rbx)
    ASSERT_TRUE(op);
    EXPECT_EQ(op->kind, Kind::Or);
    EXPECT_EQ(op->value, ~u64{0x7f});
    op = decode({0xf7, 0x03, 0x00, 0x10, 0x00, 0x00});  // testl $0x1000, (%rbx)
    ASSERT_TRUE(op);
    EXPECT_EQ(op->kind, Kind::Test);
    EXPECT_EQ(op->length, 6);
    op = decode({0x87, 0x0b});  // xchg %ecx, (%rbx)
    ASSERT_TRUE(op);
    EXPECT_EQ(op->kind, Kind::Exchange);
    EXPECT_FALSE(decode({0xf7, 0x1b})) << "NEG";
    EXPECT_FALSE(decode({0x83, 0x03, 0x01})) << "ADD";
}

TEST(Decoder, SixteenBitAddressing) {
    auto op = decode({0x66, 0x67, 0xa3, 0x00, 0x03, 0xe0, 0xfe}, CodeSize::Bits16);
    ASSERT_TRUE(op);  // mov %eax, 0xfee00300
    EXPECT_EQ(op->length, 7);
    EXPECT_EQ(op->width, 4);
    op = decode({0x89, 0x06, 0x34, 0x12}, CodeSize::Bits16);  // mov %ax, 0x1234
    ASSERT_TRUE(op);
    EXPECT_EQ(op->length, 4);
    EXPECT_EQ(op->width, 2);
}

TEST(Decoder, RegisterOperandsAndRubbishAreNone) {
    EXPECT_FALSE(decode({0x89, 0xc0}));
    EXPECT_FALSE(decode({0x0f, 0x05}));
    EXPECT_FALSE(decode({}));
    EXPECT_FALSE(decode({0x89}));
    EXPECT_FALSE(decode({0xc7, 0x00, 0x01}));
}

TEST(Decoder, Cr8) {
    auto write = decode_cr8_write(Bytes{0x44, 0x0f, 0x22, 0xc0}, CodeSize::Bits64);
    ASSERT_TRUE(write);
    EXPECT_EQ(write->reg, 0);
    EXPECT_EQ(write->length, 4);
    write = decode_cr8_write(Bytes{0x45, 0x0f, 0x22, 0xc7}, CodeSize::Bits64);
    ASSERT_TRUE(write);
    EXPECT_EQ(write->reg, 15);
}

// Never reads beyond its input (the sanitizer watches), never claims more than there is.
TEST(Decoder, RandomBytes) {
    std::mt19937 random(3);
    for (int i = 0; i < 200'000; ++i) {
        Bytes code(random() % 17);
        for (u8& byte : code)
            byte = static_cast<u8>(random());
        for (const CodeSize size : {CodeSize::Bits16, CodeSize::Bits32, CodeSize::Bits64}) {
            if (const auto op = decode(code, size)) {
                ASSERT_LE(op->length, code.size());
                ASSERT_LE(op->length, 15);
                ASSERT_LT(op->reg, 16);
            }
        }
    }
}

}  // namespace
}  // namespace skep::hv
