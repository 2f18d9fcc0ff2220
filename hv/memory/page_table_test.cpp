#include "hv/memory/page_table.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace skep::hv {
namespace {

// Frames from the host's heap, at made-up physical addresses; counts what is out.
class FakeMemory {
  public:
    using Table = std::array<u64, 512>;

    std::optional<Hpa> allocate() {
        if (left == 0)
            return std::nullopt;
        --left;
        next_ += kPageSize;
        tables_[next_] = std::make_unique<Table>();
        return Hpa{next_};
    }
    void free(Hpa frame) {
        ASSERT_EQ(tables_.erase(frame.value), 1u) << "freed twice or never allocated";
        ++left;
    }
    u64* entries(Hpa frame) const { return tables_.at(frame.value)->data(); }
    std::size_t used() const { return tables_.size(); }

    u64 left = 1'000'000;

  private:
    u64 next_ = u64{1} << 40;
    std::map<u64, std::unique_ptr<Table>> tables_;
};

constexpr TableFormat kNested{.readable = 1,
                              .writable = 2,
                              .executable = 0,
                              .not_executable = u64{1} << 63,
                              .leaf = 0x64,
                              .table = 0x27,
                              .present = 1,
                              .memory_type_shift = 0,
                              .large_1g = true};
constexpr TableFormat kExtended{.readable = 1,
                                .writable = 2,
                                .executable = 4,
                                .not_executable = 0,
                                .leaf = 0,
                                .table = 7,
                                .present = 7,
                                .memory_type_shift = 3,
                                .large_1g = true};

// The same, with the CPU's dirty flags.
constexpr TableFormat kFlagged = [] {
    TableFormat format = kExtended;
    format.leaf = 0x300;
    format.dirty = 0x200;
    return format;
}();

// And with its list of those.
constexpr TableFormat kListed = [] {
    TableFormat format = kFlagged;
    format.dirty_is_listed = true;
    return format;
}();

constexpr u32 kRw = abi::kRead | abi::kWrite, kAll = kRw | abi::kExecute;

class PageTableTest : public testing::TestWithParam<TableFormat> {
  protected:
    void SetUp() override { ASSERT_TRUE(tables.create()); }

    Status map(u64 gpa, u64 hpa, u64 size, u32 protection = kAll) {
        return tables.map(gpa, Hpa{hpa}, size, protection, MemoryType::WriteBack);
    }
    // What the CPU's own walk finds: the leaf entry, or 0.
    u64 hardware_leaf(u64 gpa) {
        u64* entry = hardware_entry(gpa);
        return entry == nullptr ? 0 : *entry;
    }
    u64* hardware_entry(u64 gpa) {
        Hpa table = tables.root();
        for (unsigned level = 4;; --level) {
            u64& entry = memory.entries(table)[gpa >> (12 + 9 * (level - 1)) & 511];
            if ((entry & GetParam().present) == 0)
                return nullptr;
            if (level == 1 || (entry & 0x80) != 0)
                return &entry;
            table = Hpa{entry & 0x000f'ffff'ffff'f000};
        }
    }
    bool can_write(u64 gpa) { return (hardware_leaf(gpa) & 2) != 0; }
    // A guest's write, with hv's help where it faults.
    void guest_writes(u64 gpa) {
        if (!can_write(gpa)) {
            ASSERT_TRUE(tables.lookup(gpa)->write_blocked);
            ASSERT_TRUE(tables.dirty_note_write(gpa));
        }
        ASSERT_TRUE(can_write(gpa));
        u64& entry = *hardware_entry(gpa);
        if (GetParam().dirty_is_listed && (entry & GetParam().dirty) == 0)
            listed.push_back(gpa);
        entry |= GetParam().dirty;
    }
    void harvest(u64 gpa, u64 size, std::vector<u8>& bitmap) {
        for (const u64 page : std::exchange(listed, {}))
            tables.dirty_mark(page);
        tables.dirty_harvest(gpa, size, bitmap);
    }

    FakeMemory memory;
    PageTable<FakeMemory> tables{GetParam(), memory};
    std::vector<u64> listed;
};

TEST_P(PageTableTest, TranslatesInTheLargestPages) {
    ASSERT_TRUE(map(0, u64{4} << 30, (u64{2} << 30) + 0x201000));
    const auto in_1g = tables.lookup(0x1234'5678);
    ASSERT_TRUE(in_1g);
    EXPECT_EQ(in_1g->address.value, (u64{4} << 30) + 0x1234'5678);
    EXPECT_EQ(in_1g->size, kPageSize1G);
    EXPECT_EQ(tables.lookup(u64{2} << 30)->size, kPageSize2M);
    EXPECT_EQ(tables.lookup((u64{2} << 30) + 0x200000)->size, kPageSize);
    EXPECT_FALSE(tables.lookup((u64{2} << 30) + 0x201000));
    EXPECT_FALSE(tables.lookup(u64{1} << 48));
}

TEST_P(PageTableTest, MisalignedTargetsTakeSmallPages) {
    ASSERT_TRUE(map(0, 0x1000, kPageSize2M));
    EXPECT_EQ(tables.lookup(0)->size, kPageSize);
    EXPECT_EQ(tables.lookup(0x1f'ffff)->address.value, 0x200fffu);
}

TEST_P(PageTableTest, RefusesOverlapAndNonsense) {
    ASSERT_TRUE(map(0x200000, 0x200000, kPageSize2M));
    EXPECT_EQ(map(0x3ff000, 0, 0x2000).error(), abi::Error::Exists);
    EXPECT_EQ(map(0, 0, kPageSize1G).error(), abi::Error::Exists);
    EXPECT_EQ(map(0x10, 0, kPageSize).error(), abi::Error::Invalid);
    EXPECT_EQ(map(0, 0x10, kPageSize).error(), abi::Error::Invalid);
    EXPECT_EQ(map(0, 0, 0).error(), abi::Error::Invalid);
    EXPECT_EQ(map((u64{1} << 48) - kPageSize, 0, 2 * kPageSize).error(), abi::Error::Invalid);
    EXPECT_EQ(map(~u64{0xfff}, 0, 2 * kPageSize).error(), abi::Error::Invalid);
    EXPECT_EQ(tables.protect(0, kPageSize, kAll).error(), abi::Error::NoEntity);
    EXPECT_EQ(tables.protect(0x3ff000, 2 * kPageSize, kAll).error(), abi::Error::NoEntity);
    EXPECT_FALSE(tables.lookup(0x1ff000));
}

TEST_P(PageTableTest, OutOfMemoryChangesNothing) {
    memory.left = 1;
    EXPECT_EQ(map(0x1000, 0x1000, kPageSize).error(), abi::Error::NoMemory);
    EXPECT_FALSE(tables.lookup(0x1000));
    memory.left = 100;
    ASSERT_TRUE(map(0, 0, kPageSize1G));
    memory.left = 1;  // two are needed to take out one small page
    EXPECT_EQ(tables.unmap(0x1000, kPageSize).error(), abi::Error::NoMemory);
    EXPECT_EQ(tables.lookup(0x1000)->address.value, 0x1000u);
    EXPECT_EQ(tables.protect(0x1000, kPageSize, kRw).error(), abi::Error::NoMemory);
    EXPECT_EQ(tables.lookup(0x1000)->protection, kAll);
}

TEST_P(PageTableTest, SplitsKeepTheRest) {
    ASSERT_TRUE(map(0, 0, kPageSize1G));
    ASSERT_TRUE(tables.unmap(0x5000, kPageSize));
    EXPECT_FALSE(tables.lookup(0x5fff));
    for (const u64 gpa : {u64{0x4fff}, u64{0x6000}, u64{0x200000}, kPageSize1G - 1}) {
        ASSERT_TRUE(tables.lookup(gpa));
        EXPECT_EQ(tables.lookup(gpa)->address.value, gpa);
        EXPECT_EQ(hardware_leaf(gpa) & 0x000f'ffff'ffff'f000,
                  align_down(gpa, tables.lookup(gpa)->size));
    }
}

TEST_P(PageTableTest, ProtectionReachesHardwareAndComesBack) {
    ASSERT_TRUE(map(0x200000, 0x200000, kPageSize2M));
    ASSERT_TRUE(tables.protect(0x300000, kPageSize, abi::kNone));
    EXPECT_EQ(hardware_leaf(0x300000), 0u);
    ASSERT_TRUE(tables.lookup(0x300000));
    EXPECT_EQ(tables.lookup(0x300000)->protection, u32{abi::kNone});
    EXPECT_EQ(tables.lookup(0x300000)->address.value, 0x300000u);
    ASSERT_TRUE(tables.protect(0x300000, kPageSize, abi::kRead));
    EXPECT_FALSE(can_write(0x300000));
    EXPECT_TRUE(can_write(0x301000));
    ASSERT_TRUE(tables.protect(0x300000, kPageSize, kAll));
    EXPECT_TRUE(can_write(0x300000));
}

TEST_P(PageTableTest, DirtyLogTellsExactlyWhatWasWritten) {
    constexpr u64 kPages = 4096;
    ASSERT_TRUE(map(0, 0, kPages * kPageSize));
    tables.dirty_start(0, kPages * kPageSize);
    std::mt19937 random(1);
    for (int round = 0; round < 20; ++round) {
        std::vector<u8> expected(kPages / 8), found(kPages / 8);
        for (int write = 0; write < 300; ++write) {
            const u64 page = random() % kPages;
            expected[page / 8] |= static_cast<u8>(1 << page % 8);
            guest_writes(page * kPageSize + random() % kPageSize);
        }
        harvest(0, kPages * kPageSize, found);
        EXPECT_EQ(found, expected);
    }
    tables.dirty_stop(0, kPages * kPageSize);
    EXPECT_TRUE(can_write(0));
    EXPECT_FALSE(tables.dirty_note_write(0));
}

TEST_P(PageTableTest, GrantsSmallPagesThatGainAccess) {
    ASSERT_TRUE(map(0, kPageSize2M, kPageSize2M, abi::kNone));
    EXPECT_TRUE(tables.is_absent(0x5fff));
    EXPECT_FALSE(tables.grant(0x5000, kAll)) << "a large page";
    ASSERT_TRUE(map(kPageSize2M, 0x1000, kPageSize2M, abi::kNone));
    for (const u64 gpa : {kPageSize2M, kPageSize2M + 0x7000, 2 * kPageSize2M - kPageSize}) {
        EXPECT_TRUE(tables.is_absent(gpa));
        EXPECT_TRUE(tables.grant(gpa, kRw));
        EXPECT_TRUE(can_write(gpa));
        EXPECT_FALSE(tables.is_absent(gpa));
        EXPECT_EQ(tables.lookup(gpa)->address.value, gpa - kPageSize2M + 0x1000);
    }
    EXPECT_FALSE(tables.grant(kPageSize2M, abi::kRead)) << "loses access";
    EXPECT_TRUE(tables.grant(kPageSize2M, kAll));
    ASSERT_TRUE(tables.unmap(kPageSize2M, kPageSize));
    EXPECT_FALSE(tables.grant(kPageSize2M, kAll));
    EXPECT_FALSE(tables.grant(8 * kPageSize2M, kAll));
    tables.dirty_start(kPageSize2M, kPageSize2M);
    EXPECT_FALSE(tables.grant(kPageSize2M + 0x1000, kAll)) << "is watched";
}

// A page that loses and gains access under the log stays watched, written to or not.
TEST_P(PageTableTest, DirtyLogSurvivesChangesOfProtection) {
    ASSERT_TRUE(map(0, 0, 8 * kPageSize));
    tables.dirty_start(0, 8 * kPageSize);
    guest_writes(0x1000);
    for (const u64 page : {u64{0}, u64{1}, u64{2}}) {
        ASSERT_TRUE(tables.protect(page * kPageSize, kPageSize, abi::kNone));
        EXPECT_EQ(hardware_leaf(page * kPageSize), 0u);
    }
    for (const u64 page : {u64{0}, u64{1}, u64{2}})
        ASSERT_TRUE(tables.protect(page * kPageSize, kPageSize, kAll));
    guest_writes(0x2000);
    std::vector<u8> found(1);
    harvest(0, 8 * kPageSize, found);
    EXPECT_EQ(found[0], 0b110);
    ASSERT_TRUE(tables.protect(0x3000, kPageSize, abi::kRead));
    ASSERT_TRUE(tables.protect(0x3000, kPageSize, kAll));
    guest_writes(0x3000);
    found[0] = 0;
    harvest(0, 8 * kPageSize, found);
    EXPECT_EQ(found[0], 0b1000);
}

TEST_P(PageTableTest, DirtyLogWithoutMemoryCountsTheWholePage) {
    ASSERT_TRUE(map(0, 0, kPageSize2M));
    tables.dirty_start(0, kPageSize2M);
    memory.left = 0;
    ASSERT_TRUE(tables.dirty_note_write(0x5000));
    std::vector<u8> found(64);
    harvest(0, kPageSize2M, found);
    EXPECT_EQ(found, std::vector<u8>(64, 0xff));
}

// A harvest that ends within a large page leaves the rest of it to the next one.
TEST_P(PageTableTest, DirtyLogIsHarvestedInParts) {
    constexpr u64 kPart = 384 * kPageSize, kParts = 8;
    ASSERT_TRUE(map(0, 0x1000, kParts * kPart));
    tables.dirty_start(0, kParts * kPart);
    std::mt19937 random(3);
    for (int round = 0; round < 20; ++round) {
        std::set<u64> expected, found;
        for (int write = 0; write < 5; ++write) {
            const u64 page = random() % (kParts * kPart / kPageSize);
            expected.insert(page);
            guest_writes(page * kPageSize);
        }
        for (u64 part = 0; part < kParts; ++part) {
            std::vector<u8> bitmap(kPart / kPageSize / 8);
            harvest(part * kPart, kPart, bitmap);
            for (u64 page = 0; page < kPart / kPageSize; ++page) {
                if ((bitmap[page / 8] >> page % 8 & 1) != 0)
                    found.insert(part * kPart / kPageSize + page);
            }
        }
        EXPECT_EQ(found, expected);
    }
}

// A whole large page that was written to, and then is split.
TEST_P(PageTableTest, DirtyLogSurvivesASplit) {
    ASSERT_TRUE(map(0, 0, kPageSize2M));
    tables.dirty_start(0, kPageSize2M);
    memory.left = 0;
    guest_writes(0);
    memory.left = 10;
    ASSERT_TRUE(tables.unmap(0x7000, kPageSize));
    std::vector<u8> found(64), expected(64, 0xff);
    expected[0] = 0x7f;
    harvest(0, kPageSize2M, found);
    EXPECT_EQ(found, expected);
}

TEST_P(PageTableTest, ReadOnlyMemoryIsNeverArmed) {
    ASSERT_TRUE(map(0, 0, kPageSize, abi::kRead));
    tables.dirty_start(0, kPageSize);
    EXPECT_FALSE(tables.lookup(0)->write_blocked);
    EXPECT_FALSE(tables.dirty_note_write(0));
}

TEST_P(PageTableTest, FollowsAModelThroughRandomCalls) {
    constexpr u64 kPages = 2048;
    std::vector<std::optional<u64>> model(kPages);
    std::mt19937_64 random(7);
    for (int i = 0; i < 3000; ++i) {
        const u64 first = random() % kPages,
                  count = 1 + random() % std::min<u64>(kPages - first, 600);
        if (random() % 2 == 0) {
            const u64 target = random() % 3 == 0 ? first : random() % 100'000;
            const bool free = std::none_of(model.begin() + static_cast<long>(first),
                                           model.begin() + static_cast<long>(first + count),
                                           [](const auto& page) { return page.has_value(); });
            const auto done = map(first * kPageSize, target * kPageSize, count * kPageSize);
            ASSERT_EQ(done.has_value(), free);
            for (u64 p = 0; free && p < count; ++p)
                model[first + p] = target + p;
        } else {
            ASSERT_TRUE(tables.unmap(first * kPageSize, count * kPageSize));
            std::fill_n(model.begin() + static_cast<long>(first), count, std::nullopt);
        }
        for (u64 p = 0; p < kPages; p += 37) {
            const auto mapping = tables.lookup(p * kPageSize);
            ASSERT_EQ(mapping.has_value(), model[p].has_value());
            if (mapping) {
                ASSERT_EQ(mapping->address.value, *model[p] * kPageSize);
            }
        }
    }
}

// What only the CPU sees.
TEST_P(PageTableTest, OverlaysAPageOfNobody) {
    constexpr u64 kPlace = 0xfee0'0000;
    constexpr Hpa kFrame{0x7000};
    tables.overlay(kPlace, kFrame);
    for (int round = 0; round < 2; ++round) {
        EXPECT_EQ(hardware_leaf(kPlace) & 0x000f'ffff'ffff'f000, kFrame.value);
        EXPECT_TRUE(can_write(kPlace));
        EXPECT_FALSE(tables.lookup(kPlace));
        EXPECT_FALSE(tables.is_absent(kPlace));
        EXPECT_FALSE(tables.grant(kPlace, kAll));
        EXPECT_EQ(tables.protect(kPlace, kPageSize, kAll).error(), abi::Error::NoEntity);
        ASSERT_TRUE(tables.unmap(kPlace - kPageSize, 4 * kPageSize));
        tables.for_each_mapping([](Hpa, u64) { FAIL(); });
        tables.dirty_start(0, u64{4} << 30);
        tables.dirty_mark(kPlace);
        std::vector<u8> found(1);
        harvest(kPlace, 8 * kPageSize, found);
        EXPECT_EQ(found[0], 0);
        tables.overlay(kPlace, kFrame);  // it may be there
    }
    tables.remove_overlay();
    EXPECT_EQ(hardware_leaf(kPlace), 0u);
    tables.remove_overlay();
    tables.overlay(kPlace, kFrame);
    // Its owner's mappings come first.
    ASSERT_TRUE(map(kPlace - kPageSize, 0x10'0000, 4 * kPageSize));
    EXPECT_EQ(tables.lookup(kPlace)->address.value, 0x10'1000u);
    tables.overlay(kPlace, kFrame);
    tables.remove_overlay();
    EXPECT_EQ(tables.lookup(kPlace)->address.value, 0x10'1000u);
}

TEST(PageTable, GivesEveryFrameBack) {
    FakeMemory memory;
    {
        PageTable<FakeMemory> tables(kNested, memory);
        ASSERT_TRUE(tables.create());
        ASSERT_TRUE(tables.map(0, Hpa{0x1000}, kPageSize2M * 3, kAll, MemoryType::WriteBack));
        ASSERT_TRUE(tables.map(u64{1} << 40, Hpa{0}, kPageSize1G, kAll, MemoryType::WriteBack));
        ASSERT_TRUE(tables.unmap((u64{1} << 40) + 0x1000, kPageSize));
    }
    EXPECT_EQ(memory.used(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Formats, PageTableTest,
                         testing::Values(kNested, kExtended, kFlagged, kListed));

}  // namespace
}  // namespace skep::hv
