#include <kernel/mm/buddy.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

namespace skep::kernel {
namespace {

class BuddyTest : public testing::Test {
  protected:
    static constexpr std::size_t kFrames = 5000;
    std::unique_ptr<Frame[]> frames_ = std::make_unique<Frame[]>(kFrames);
    Buddy buddy_;

    BuddyTest() { buddy_.init({frames_.get(), kFrames}); }
};

TEST_F(BuddyTest, BlocksAreAlignedDisjointAndInRange) {
    buddy_.add(3, 4999);
    std::vector<bool> used(kFrames);
    std::mt19937 random(1);
    for (;;) {
        const unsigned order = random() % 6;
        auto block = buddy_.allocate(order);
        if (!block)
            break;
        EXPECT_EQ(*block % (1u << order), 0u);
        for (std::size_t i = *block; i < *block + (1u << order); i++) {
            ASSERT_TRUE(i >= 3 && i < 4999);
            ASSERT_FALSE(used[i]);
            used[i] = true;
        }
    }
}

TEST_F(BuddyTest, FreeingEverythingMergesToLargeBlocks) {
    buddy_.add(0, 4096);
    std::mt19937 random(2);
    std::vector<std::pair<std::size_t, unsigned>> blocks;
    for (int i = 0; i < 20000; i++) {
        if (random() % 2 && !blocks.empty()) {
            std::swap(blocks[random() % blocks.size()], blocks.back());
            buddy_.free(blocks.back().first, blocks.back().second);
            blocks.pop_back();
        } else if (const unsigned order = random() % 5; auto block = buddy_.allocate(order)) {
            blocks.emplace_back(*block, order);
        }
    }
    for (auto [frame, order] : blocks)
        buddy_.free(frame, order);
    EXPECT_EQ(buddy_.use().free_frames, 4096u);
    for (int i = 0; i < 4; i++)
        EXPECT_TRUE(buddy_.allocate(Buddy::kMaxOrder));
    EXPECT_EQ(buddy_.allocate(0), std::unexpected(Errno::NoMem));
}

TEST_F(BuddyTest, RefusesOrdersItDoesNotHave) {
    buddy_.add(0, 4096);
    EXPECT_EQ(buddy_.allocate(Buddy::kMaxOrder + 1), std::unexpected(Errno::Inval));
}

}  // namespace
}  // namespace skep::kernel
