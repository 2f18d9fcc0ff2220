#include "hv/guest/cpuid_table.hpp"

#include "hv/arch/registers.hpp"
#include "hv/cpu/fpu.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace skep::hv {

u64 fpu_components() {
    return 7;
}

namespace {

CpuidResult everything(u32, u32) {
    return {~0u, ~0u, ~0u, ~0u};
}
CpuidResult nothing(u32, u32) {
    return {0, 0, 0, 0};
}

constexpr CpuidState kState{5, 0, 1};

class CpuidTableTest : public testing::Test {
  protected:
    std::unique_ptr<CpuidTable> table = std::make_unique<CpuidTable>();
};

TEST_F(CpuidTableTest, FindsLeavesAndSubleaves) {
    const std::vector<abi::CpuidEntry> entries = {
        {0x8000'0000, 0, 0, 0x8000'0008, 0, 0, 0, 0},
        {4, 1, 1, 11, 0, 0, 0, 0},
        {4, 0, 1, 10, 0, 0, 0, 0},
        {0, 0, 0, 0xd, 1, 2, 3, 0},
        {0x4000'0000, 0, 0, 1, 2, 3, 4, 0},
    };
    ASSERT_TRUE(table->set(entries, everything));
    EXPECT_EQ(table->get(0, 77, kState).eax, 0xdu) << "the subleaf does not matter";
    EXPECT_EQ(table->get(4, 0, kState).eax, 10u);
    EXPECT_EQ(table->get(4, 1, kState).eax, 11u);
    EXPECT_EQ(table->get(4, 2, kState).eax, 0u);
    EXPECT_EQ(table->get(0x4000'0000, 0, kState).edx, 4u);
    EXPECT_EQ(table->get(0x8000'0000, 0, kState).eax, 0x8000'0008u);
    EXPECT_EQ(table->get(0x8fff'ffff, 0, kState).eax, 0u);
    EXPECT_EQ(table->get(3, 0, kState).eax, 0u);
}

TEST_F(CpuidTableTest, RefusesWhatIsNotThere) {
    const abi::CpuidEntry vmx[] = {{1, 0, 0, 0, 0, 1 << 5, 0, 0}};
    EXPECT_EQ(table->set(vmx, everything).error(), abi::Error::Unsupported);
    const abi::CpuidEntry avx[] = {{1, 0, 0, 0, 0, 1 << 28, 0, 0}};
    EXPECT_TRUE(table->set(avx, everything));
    EXPECT_EQ(table->set(avx, nothing).error(), abi::Error::Unsupported);
    EXPECT_TRUE(table->has(1, 2, 28)) << "a refused table leaves the old one";
    const abi::CpuidEntry emulated[] = {{1, 0, 0, 0, 0, 1 << 21 | 1 << 24, 0, 0}};
    EXPECT_TRUE(table->set(emulated, nothing));
    const abi::CpuidEntry components[] = {{0xd, 0, 1, 0xff, 0, 0, 0, 0}};
    EXPECT_EQ(table->set(components, everything).error(), abi::Error::Unsupported);
    const abi::CpuidEntry twice[] = {{2, 0, 0, 0, 0, 0, 0, 0}, {2, 0, 0, 1, 0, 0, 0, 0}};
    EXPECT_EQ(table->set(twice, everything).error(), abi::Error::Invalid);
    EXPECT_EQ(table->set(std::vector<abi::CpuidEntry>(129), everything).error(),
              abi::Error::Invalid);
}

TEST_F(CpuidTableTest, WhatIsSupportedIsAccepted) {
    std::vector<abi::CpuidEntry> entries;
    for (const u32 leaf : {0u, 1u, 7u, 0xdu, 0x8000'0001u, 0x8000'0007u, 0x8000'0008u}) {
        const CpuidResult r = cpuid_supported(leaf, 0, everything);
        entries.push_back({leaf, 0, 0, r.eax, r.ebx, r.ecx, r.edx, 0});
    }
    EXPECT_TRUE(table->set(entries, everything));
}

TEST_F(CpuidTableTest, FillsInWhatIsDynamic) {
    const abi::CpuidEntry entries[] = {
        {1, 0, 0, 0, 0xff00'0800, 1 << 26 | 1 << 27, 0, 0},
        {0xb, 0, 1, 0, 0, 0, 99, 0},
    };
    ASSERT_TRUE(table->set(entries, everything));
    EXPECT_EQ(table->get(1, 0, kState).ebx, 0x0500'0800u);
    EXPECT_EQ(table->get(1, 0, kState).ecx >> 27 & 1, 0u);
    EXPECT_EQ(table->get(1, 0, {5, cr4::kOsxsave, 1}).ecx >> 27 & 1, 1u);
    EXPECT_EQ(table->get(0xb, 0, kState).edx, 5u);
}

}  // namespace
}  // namespace skep::hv
