#include "hv/memory/frame_pool.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <vector>

namespace skep::hv {
namespace {

class FramePoolTest : public testing::Test {
  protected:
    static constexpr u64 kFrames = 200;
    static constexpr Hpa kBase{0x220'0000};

    FramePoolTest() { pool->init(kBase, memory.data(), kFrames); }

    std::vector<u8> memory = std::vector<u8>(kFrames * kPageSize, 0xcc);
    std::unique_ptr<FramePool> pool = std::make_unique<FramePool>();
};

TEST_F(FramePoolTest, HandsOutEachFrameOnceAndZeroed) {
    std::set<u64> seen;
    while (const auto frame = pool->allocate()) {
        EXPECT_TRUE(seen.insert(frame->value).second);
        const u8* bytes = static_cast<u8*>(pool->at(*frame));
        EXPECT_TRUE(std::all_of(bytes, bytes + kPageSize, [](u8 byte) { return byte == 0; }));
    }
    EXPECT_EQ(seen.size(), kFrames);
    EXPECT_EQ(pool->available(), 0u);
    for (const u64 frame : seen)
        pool->free(Hpa{frame});
    EXPECT_EQ(pool->available(), kFrames);
}

TEST_F(FramePoolTest, RunsAreContiguousAndNeverWrap) {
    std::vector<Hpa> runs;
    while (const auto run = pool->allocate(7))
        runs.push_back(*run);
    EXPECT_EQ(runs.size(), kFrames / 7);
    for (const Hpa run : runs)
        EXPECT_LE(run.value + 7 * kPageSize, kBase.value + kFrames * kPageSize);
    EXPECT_FALSE(pool->allocate(kFrames % 7 + 1));
    pool->free(runs[3], 7);
    EXPECT_EQ(pool->allocate(7)->value, runs[3].value);
}

TEST_F(FramePoolTest, ObjectsComeAndGo) {
    struct Object {
        u8 bytes[5000];
        int& destroyed;
        ~Object() { ++destroyed; }
    };
    int destroyed = 0;
    Object* object = pool->create<Object>(Object{{}, destroyed});
    destroyed = 0;
    ASSERT_NE(object, nullptr);
    EXPECT_EQ(pool->available(), kFrames - 2);
    pool->destroy(object);
    EXPECT_EQ(destroyed, 1);
    EXPECT_EQ(pool->available(), kFrames);
    EXPECT_FALSE(pool->allocate(0));
    EXPECT_FALSE(pool->allocate(kFrames + 1));
}

}  // namespace
}  // namespace skep::hv
