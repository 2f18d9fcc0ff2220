#include "hv/memory/ownership.hpp"

#include <gtest/gtest.h>

namespace skep::hv {
namespace {

constexpr u64 kMiB = 1 << 20;

TEST(Ownership, RootOwnsRamButNotHv) {
    Ownership ownership;
    ownership.set_hv(Hpa{32 * kMiB}, 16 * kMiB);
    ASSERT_TRUE(ownership.add_ram(0x400, 0x9fc00));
    ASSERT_TRUE(ownership.add_ram(kMiB, 512 * kMiB));
    EXPECT_TRUE(ownership.root_owns(Hpa{0x1000}, 0x1000));
    EXPECT_FALSE(ownership.root_owns(Hpa{0}, 0x1000)) << "partly outside of the range";
    EXPECT_FALSE(ownership.root_owns(Hpa{0x9f000}, 0x1000));
    EXPECT_FALSE(ownership.root_owns(Hpa{0xa0000}, 1));
    EXPECT_TRUE(ownership.root_owns(Hpa{31 * kMiB}, kMiB));
    EXPECT_FALSE(ownership.root_owns(Hpa{31 * kMiB}, kMiB + 1));
    EXPECT_FALSE(ownership.root_owns(Hpa{40 * kMiB}, 1));
    EXPECT_FALSE(ownership.root_owns(Hpa{16 * kMiB}, 64 * kMiB)) << "hv lies inside";
    EXPECT_TRUE(ownership.root_owns(Hpa{48 * kMiB}, 464 * kMiB));
    EXPECT_FALSE(ownership.root_owns(Hpa{48 * kMiB}, 464 * kMiB + 1));
}

TEST(Ownership, SizesDoNotWrap) {
    Ownership ownership;
    ASSERT_TRUE(ownership.add_ram(0, 512 * kMiB));
    EXPECT_FALSE(ownership.root_owns(Hpa{0x1000}, ~u64{0}));
    EXPECT_FALSE(ownership.root_owns(Hpa{~u64{0xfff}}, 0x1000));
    EXPECT_FALSE(ownership.root_owns(Hpa{~u64{0}}, 2));
    EXPECT_FALSE(ownership.root_owns(Hpa{0x1000}, 0));
}

TEST(Ownership, JoinsWhatTouches) {
    Ownership ownership;
    ASSERT_TRUE(ownership.add_ram(kMiB, 2 * kMiB));
    ASSERT_TRUE(ownership.add_ram(2 * kMiB, 3 * kMiB));
    EXPECT_TRUE(ownership.root_owns(Hpa{kMiB}, 2 * kMiB));
}

TEST(Ownership, TooManyRangesAreLeftOut) {
    Ownership ownership;
    for (u64 i = 0; i < Ownership::kMaxRanges; ++i)
        ASSERT_TRUE(ownership.add_ram(2 * i * kMiB, (2 * i + 1) * kMiB));
    EXPECT_FALSE(ownership.add_ram(1000 * kMiB, 1001 * kMiB));
    EXPECT_FALSE(ownership.root_owns(Hpa{1000 * kMiB}, kPageSize));
}

}  // namespace
}  // namespace skep::hv
