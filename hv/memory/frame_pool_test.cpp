#include "hv/memory/frame_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <vector>

namespace skep::hv {
namespace {

class FramePoolTest : public testing::Test {
  protected:
    static constexpr u64 kFrames = 200, kUsable = kFrames - FramePool::kReserve;
    static constexpr Hpa kBase{0x220'0000}, kFirst{0x240'0000}, kSecond{0x260'0000};

    FramePoolTest() { pool->init(kBase, memory.data(), kFrames); }

    std::set<u64> take_all() {
        std::set<u64> taken;
        while (const auto frame = pool->allocate())
            EXPECT_TRUE(taken.insert(frame->value).second);
        return taken;
    }

    std::vector<u8> memory = std::vector<u8>(kSecond.value + kPageSize2M - kBase.value, 0xcc);
    std::unique_ptr<FramePool> pool = std::make_unique<FramePool>();
};

TEST_F(FramePoolTest, HandsOutEachFrameOnceAndZeroed) {
    const std::set<u64> seen = take_all();
    for (const u64 frame : seen) {
        const u8* bytes = static_cast<u8*>(pool->at(Hpa{frame}));
        EXPECT_TRUE(std::all_of(bytes, bytes + kPageSize, [](u8 byte) { return byte == 0; }));
    }
    EXPECT_EQ(seen.size(), kUsable);
    EXPECT_EQ(pool->available(), FramePool::kReserve);
    for (const u64 frame : seen)
        pool->free(Hpa{frame});
    EXPECT_EQ(pool->available(), kFrames);
}

TEST_F(FramePoolTest, RunsAreContiguousAndNeverWrap) {
    std::vector<Hpa> runs;
    while (const auto run = pool->allocate(7, 0))
        runs.push_back(*run);
    EXPECT_EQ(runs.size(), kFrames / 7);
    for (const Hpa run : runs)
        EXPECT_LE(run.value + 7 * kPageSize, kBase.value + kFrames * kPageSize);
    EXPECT_FALSE(pool->allocate(kFrames % 7 + 1, 0));
    pool->free(runs[3], 7);
    EXPECT_EQ(pool->allocate(7, 0)->value, runs[3].value);
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
    EXPECT_FALSE(pool->allocate(~u64{0}));
}

TEST_F(FramePoolTest, TheReserveIsForWhoeverAsksForIt) {
    take_all();
    for (u64 i = 0; i < FramePool::kReserve; ++i)
        EXPECT_TRUE(pool->allocate(1, 0));
    EXPECT_FALSE(pool->allocate(1, 0));
}

TEST_F(FramePoolTest, GrowsAndGivesBackWhatIsUnused) {
    EXPECT_FALSE(pool->take_unused());
    std::set<u64> taken = take_all();
    while (const auto last = pool->allocate(1, 0))
        taken.insert(last->value);
    ASSERT_TRUE(pool->add(kFirst));
    ASSERT_TRUE(pool->add(kSecond));
    EXPECT_EQ(pool->total(), kFrames + 2 * FramePool::kChunkFrames);
    // The first with room is taken first, and a run lies within one.
    const auto frame = pool->allocate(), run = pool->allocate(FramePool::kChunkFrames);
    ASSERT_TRUE(frame && run);
    EXPECT_TRUE(frame->value >= kFirst.value && frame->value < kSecond.value);
    EXPECT_EQ(run->value, kSecond.value);
    EXPECT_FALSE(pool->take_unused());
    pool->free(*run, FramePool::kChunkFrames);
    std::memset(pool->at(kSecond), 0xcc, kPageSize2M);
    const auto unused = pool->take_unused();
    ASSERT_TRUE(unused);
    EXPECT_EQ(unused->value, kSecond.value);
    const u8* bytes = static_cast<u8*>(pool->at(kSecond));
    EXPECT_TRUE(std::all_of(bytes, bytes + kPageSize2M, [](u8 byte) { return byte == 0; }));
    EXPECT_FALSE(pool->take_unused());
    pool->free(*frame);
    // Not as long as the reserve is in it.
    EXPECT_FALSE(pool->take_unused());
    for (const u64 old : taken)
        pool->free(Hpa{old});
    EXPECT_EQ(pool->take_unused()->value, kFirst.value);
    EXPECT_EQ(pool->total(), kFrames);
    EXPECT_EQ(pool->available(), kFrames);
}

TEST_F(FramePoolTest, HasRoomForSoMuchAndNoMore) {
    u64 added = 0;
    while (pool->add(Hpa{kFirst.value + added * kPageSize2M}))
        ++added;
    EXPECT_EQ(added, 255u);
    EXPECT_TRUE(pool->take_unused());
    EXPECT_TRUE(pool->add(kFirst + (u64{1} << 40)));
}

}  // namespace
}  // namespace skep::hv
