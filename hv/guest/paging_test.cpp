#include "hv/guest/paging.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace skep::hv {
namespace {

class PagingTest : public testing::Test {
  protected:
    void put32(u64 gpa, u32 value) { std::memcpy(ram.data() + gpa, &value, 4); }
    void put64(u64 gpa, u64 value) { std::memcpy(ram.data() + gpa, &value, 8); }
    auto memory() const {
        return
            [this](Gpa gpa) { return gpa.value < ram.size() ? ram.data() + gpa.value : nullptr; };
    }
    std::optional<u64> translate(const PagingMode& mode, u64 linear) const {
        const auto gpa = walk(mode, linear, memory());
        return gpa ? std::optional(gpa->value) : std::nullopt;
    }
    std::vector<u8> ram = std::vector<u8>(0x10000);
};

TEST_F(PagingTest, NoPaging) {
    EXPECT_EQ(translate({0, 0, 0, 0}, 0x1'0000'1234), 0x1234u);
}

TEST_F(PagingTest, TwoLevels) {
    const PagingMode mode{cr0::kPg, 0x1000, cr4::kPse, 0};
    put32(0x1000 + 4, 0x2000 | 1);
    put32(0x2000 + 8, 0x5000 | 1);
    put32(0x1000 + 8, 0x00c0'0000 | 1 << 13 | 0x81);  // 4 MiB, with address bit 32
    EXPECT_EQ(translate(mode, 0x0040'2abc), 0x5abcu);
    EXPECT_EQ(translate(mode, 0x0080'1234), 0x1'00c0'1234u);
    EXPECT_FALSE(translate(mode, 0));
}

TEST_F(PagingTest, PhysicalAddressExtension) {
    const PagingMode mode{cr0::kPg, 0x1020, cr4::kPae, 0};
    put64(0x1020 + 8, 0x2000 | 1);
    put64(0x2000 + 8, 0x4000'0000 | 0x81);
    EXPECT_EQ(translate(mode, 0x4020'0123), 0x4000'0123u);
    EXPECT_FALSE(translate(mode, 0x8000'0000));
}

TEST_F(PagingTest, FourLevels) {
    const PagingMode mode{cr0::kPg, 0x1000, cr4::kPae, efer::kLma};
    put64(0x1000 + 511 * 8, 0x2000 | 1);
    put64(0x2000 + 510 * 8, 0x3000 | 1);
    put64(0x2000 + 511 * 8, (u64{3} << 30) | 0x81);
    put64(0x3000, 0x4000 | 1);
    put64(0x4000 + 8, 0x7000 | 1 | u64{1} << 63);
    EXPECT_EQ(translate(mode, 0xffff'ffff'8000'1fff), 0x7fffu);
    EXPECT_EQ(translate(mode, 0xffff'ffff'c123'4567), (u64{3} << 30) + 0x123'4567);
    EXPECT_FALSE(translate(mode, 0xffff'ffff'8000'0000));
    EXPECT_FALSE(translate({cr0::kPg, 0xff000, cr4::kPae, efer::kLma}, 0))
        << "tables outside of RAM";
}

// Of the four entries that a PAE walk begins with, none has such a flag.
TEST_F(PagingTest, TellsOfEachEntryWithFlags) {
    std::vector<std::pair<u64, bool>> told;
    const auto walk_to = [&](const PagingMode& mode, u64 linear) {
        told.clear();
        walk(mode, linear, memory(),
             [&](Gpa entry, bool leaf) { told.emplace_back(entry.value, leaf); });
        return told;
    };
    using Told = std::vector<std::pair<u64, bool>>;
    put32(0x1004, 0x2000 | 1);
    put32(0x1008, 0x81);
    put32(0x2008, 0x5000 | 1);
    const PagingMode two{cr0::kPg, 0x1000, cr4::kPse, 0};
    EXPECT_EQ(walk_to(two, 0x0040'2000), (Told{{0x1004, false}, {0x2008, true}}));
    EXPECT_EQ(walk_to(two, 0x0040'3000), (Told{{0x1004, false}}));
    EXPECT_EQ(walk_to(two, 0x0080'0000), (Told{{0x1008, true}}));
    EXPECT_TRUE(walk_to({0, 0x1000, 0, 0}, 0x0040'2000).empty());
    put64(0x3000, 0x4000 | 1);
    put64(0x4000, 0x6000 | 1);
    put64(0x4008, 0x81);
    put64(0x6000, 0x7000 | 1);
    const PagingMode pae{cr0::kPg, 0x3000, cr4::kPae, 0};
    EXPECT_EQ(walk_to(pae, 0), (Told{{0x4000, false}, {0x6000, true}}));
    EXPECT_EQ(walk_to(pae, 0x20'0000), (Told{{0x4008, true}}));
    const PagingMode four{cr0::kPg, 0x3000, cr4::kPae, efer::kLma};
    EXPECT_EQ(walk_to(four, 0), (Told{{0x3000, false}, {0x4000, false}, {0x6000, false}}));
}

TEST_F(PagingTest, ReadsAcrossPagesAndStopsAtHoles) {
    const PagingMode mode{cr0::kPg, 0x1000, 0, 0};
    put32(0x1000, 0x2000 | 1);
    put32(0x2000, 0x5000 | 1);
    put32(0x2000 + 4, 0x8000 | 1);
    ram[0x5fff] = 1;
    ram[0x8000] = 2;
    u8 bytes[15] = {};
    EXPECT_EQ(read_linear(mode, 0xfff, bytes, memory()), 15u);
    EXPECT_EQ(bytes[0], 1);
    EXPECT_EQ(bytes[1], 2);
    EXPECT_EQ(read_linear(mode, 0x1ffb, bytes, memory()), 5u);
}

}  // namespace
}  // namespace skep::hv
