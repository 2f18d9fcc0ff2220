// Walks of the tables against a plain model, and that all tables come back.
#include <kernel/mm/page_table.hpp>
#include <kernel/testing/host.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>

namespace skep::kernel {
namespace {

constexpr std::uint64_t kTop = std::uint64_t{1} << 47;

class PageTableTest : public ::testing::Test {
  protected:
    PageTableTest() : frames_before_(testing::frames_in_use) {
        const PhysAddr root = *allocate_frames(0);
        std::memset(direct_map(root), 0, kPageSize);
        table_ = PageTable(root);
    }
    ~PageTableTest() override {
        table_.for_each(0, kTop, [](std::uint64_t, Pte& pte, int) { pte.value = 0; });
        table_.free_tables(kTop);
        EXPECT_EQ(testing::frames_in_use, frames_before_ + 1);
        free_frames(table_.root(), 0);
    }
    void put(std::uint64_t address, int level, std::uint64_t flags) {
        const Result<Pte*> pte = table_.make(address, level);
        ASSERT_TRUE(pte);
        (*pte)->value = flags | (level > 1 ? Pte::kLarge : 0);
        leaves_[address] = level;
    }
    // What a walk of [start, end) is to find.
    std::map<std::uint64_t, int> expected(std::uint64_t start, std::uint64_t end) const {
        std::map<std::uint64_t, int> found;
        for (const auto& [address, level] : leaves_)
            if (address < end && address + PageTable::level_size(level) > start)
                found[address] = level;
        return found;
    }
    std::map<std::uint64_t, int> walked(std::uint64_t start, std::uint64_t end) const {
        std::map<std::uint64_t, int> found;
        std::uint64_t last = 0;
        table_.for_each(start, end, [&](std::uint64_t address, Pte&, int level) {
            EXPECT_TRUE(found.empty() || address > last);
            found[last = address] = level;
        });
        return found;
    }

    std::size_t frames_before_;
    PageTable table_;
    std::map<std::uint64_t, int> leaves_;
};

TEST_F(PageTableTest, WalksFindWhatIsThere) {
    std::mt19937_64 random(1);
    constexpr std::uint64_t kNear = std::uint64_t{1} << 31;  // most leaves share tables
    auto anywhere = [&] { return random() % (random() % 4 ? kNear : kTop) & ~(kPageSize - 1); };
    for (int i = 0; i < 200; i++) {
        const std::uint64_t address = anywhere();
        if (i % 8 == 0 &&
            walked(address & ~(kLargePageSize - 1), (address | (kLargePageSize - 1)) + 1).empty() &&
            !table_.find(address))
            put(address & ~(kLargePageSize - 1), 2, Pte::kPresent);
        else if (int level; !table_.find(address, &level) || level == 1)
            put(address, 1, i % 3 ? Pte::kPresent : Pte::kHidden);
    }
    EXPECT_EQ(walked(0, kTop), leaves_);
    for (int i = 0; i < 2000; i++) {
        const std::uint64_t start = anywhere(),
                            end = i % 2 ? start + kPageSize * (1 + random() % 2000) : anywhere();
        if (start < end) {
            EXPECT_EQ(walked(start, end), expected(start, end))
                << std::hex << start << " to " << end;
        }
    }
    for (const auto& [address, level] : leaves_) {
        int found = 0;
        ASSERT_TRUE(table_.find(address, &found));
        EXPECT_EQ(found, level);
    }
}

TEST_F(PageTableTest, TheEndsOfTheSpaceAreWalked) {
    put(0, 1, Pte::kPresent);
    put(kTop - kPageSize, 1, Pte::kPresent);
    EXPECT_EQ(walked(0, kTop), leaves_);
    EXPECT_EQ(walked(kTop - kPageSize, kTop).size(), 1u);
    EXPECT_TRUE(walked(kPageSize, kTop - kPageSize).empty());
}

TEST_F(PageTableTest, ALargerPageIsInTheWay) {
    put(kLargePageSize, 2, Pte::kPresent);
    const Result<Pte*> inside = table_.make(kLargePageSize + kPageSize, 1);
    ASSERT_FALSE(inside);
    EXPECT_EQ(inside.error(), Errno::Exist);
}

}  // namespace
}  // namespace skep::kernel
