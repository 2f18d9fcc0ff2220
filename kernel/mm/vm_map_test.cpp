// A VmMap against a plain model: what each page shows, which rights it has, and that no frame is
// lost.
#include <kernel/mm/anonymous_object.hpp>
#include <kernel/mm/frame.hpp>
#include <kernel/mm/vm_map.hpp>
#include <kernel/testing/host.hpp>

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <random>

namespace skep::kernel {

Result<PhysAddr> make_top_level_table() {
    return allocate_zeroed_frame();
}
void flush_tlb(VmMap&, std::uint64_t, std::uint64_t) {}
void forget_page_here(VmMap&, std::uint64_t) {}

namespace {

constexpr std::uint64_t kBase = 0x1000'0000;
constexpr std::uint64_t kPages = 64;  // the window that the random tests play in

class VmMapTest : public ::testing::Test {
  protected:
    VmMapTest() : frames_before_(kernel::testing::frames_in_use) { map_ = *VmMap::create(); }
    ~VmMapTest() override {
        map_.reset();
        EXPECT_EQ(kernel::testing::frames_in_use, frames_before_);
    }

    // As the CPU would: translates, faults if need be. -> the byte, or null if the access is
    // refused.
    static std::uint8_t* access(VmMap& map, std::uint64_t address, FaultAccess how) {
        // The fault handler's verdict holds even if a present entry would let it through.
        if (!map.fault(address, how))
            return nullptr;
        auto physical = map.physical(address);
        return physical ? static_cast<std::uint8_t*>(direct_map(*physical)) : nullptr;
    }
    static std::uint64_t page(std::uint64_t i) { return kBase + i * kPageSize; }

    std::size_t frames_before_;
    Ref<VmMap> map_;
};

TEST_F(VmMapTest, FaultsSayWhatIsWrong) {
    ASSERT_TRUE(
        map_->map({.address = kBase, .size = kPageSize, .protection = kProtRead, .fixed = true}));
    EXPECT_TRUE(map_->fault(kBase, FaultAccess::Read));
    EXPECT_EQ(map_->fault(kBase, FaultAccess::Write), std::unexpected(Errno::Acces));
    EXPECT_EQ(map_->fault(kBase, FaultAccess::Execute), std::unexpected(Errno::Acces));
    EXPECT_EQ(map_->fault(kBase + kPageSize, FaultAccess::Read), std::unexpected(Errno::Fault));
    EXPECT_EQ(map_->fault(~0ull, FaultAccess::Read), std::unexpected(Errno::Fault));
}

TEST_F(VmMapTest, NothingIsBothWritableAndExecutable) {
    constexpr std::uint32_t kBoth = kProtWrite | kProtExecute;
    const MapRequest plain{.address = kBase, .size = 2 * kPageSize, .fixed = true};
    MapRequest both = plain;
    both.protection = kBoth;
    ASSERT_TRUE(map_->map(both));
    EXPECT_EQ(map_->set_write_xor_execute(true), std::unexpected(Errno::Acces));
    ASSERT_TRUE(map_->map(plain));
    EXPECT_TRUE(map_->set_write_xor_execute(true));
    EXPECT_EQ(map_->map(both), std::unexpected(Errno::Acces));
    EXPECT_EQ(map_->protect(kBase, kPageSize, kBoth), std::unexpected(Errno::Acces));
    EXPECT_TRUE(map_->covers(kBase, 2 * kPageSize));  // what was there is still there
    EXPECT_TRUE(map_->protect(kBase, kPageSize, kProtRead | kProtExecute));
    const auto child = *map_->fork();
    EXPECT_EQ(child->protect(kBase, kPageSize, kBoth), std::unexpected(Errno::Acces));
    EXPECT_TRUE(child->set_write_xor_execute(false));
    EXPECT_TRUE(child->protect(kBase, kPageSize, kBoth));
}

TEST_F(VmMapTest, OthersMayReadIt) {
    ASSERT_TRUE(map_->map({.address = kBase, .size = 2 * kPageSize, .fixed = true}));
    std::uint8_t* last = access(*map_, kBase + kPageSize - 1, FaultAccess::Write);
    ASSERT_TRUE(last);
    *last = 7;
    std::uint8_t bytes[3] = {9, 9, 9};
    EXPECT_TRUE(map_->read(kBase + kPageSize - 1, bytes, 3));  // the second page was never touched
    EXPECT_EQ(bytes[0], 7);
    EXPECT_EQ(bytes[1] | bytes[2], 0);
    EXPECT_EQ(map_->read(kBase + 2 * kPageSize - 1, bytes, 2), std::unexpected(Errno::Fault));
    EXPECT_EQ(map_->read(~0ull, bytes, 2), std::unexpected(Errno::Fault));
    ASSERT_TRUE(map_->protect(kBase, kPageSize, 0));
    EXPECT_EQ(map_->read(kBase, bytes, 1), std::unexpected(Errno::Acces));
}

TEST_F(VmMapTest, TheMaximumOnlyShrinks) {
    ASSERT_TRUE(map_->map({.address = kBase, .size = 2 * kPageSize, .fixed = true}));
    EXPECT_TRUE(map_->protect(kBase, kPageSize, kProtRead, kProtRead));
    EXPECT_EQ(map_->protect(kBase, kPageSize, kProtRead | kProtWrite),
              std::unexpected(Errno::Acces));
    EXPECT_EQ(map_->protect(kBase, kPageSize, kProtRead, kProtRead | kProtWrite),
              std::unexpected(Errno::Acces));
    EXPECT_TRUE(map_->protect(page(1), kPageSize, kProtRead | kProtWrite));
}

TEST_F(VmMapTest, GapsAreFoundFromTheTopAndHintsObeyed) {
    const auto a = map_->map({.size = kPageSize}), b = map_->map({.size = 3 * kPageSize});
    ASSERT_TRUE(a && b);
    EXPECT_EQ(*b, *a - 3 * kPageSize);
    EXPECT_EQ(*map_->map({.address = kBase, .size = kPageSize}), kBase);
    EXPECT_NE(*map_->map({.address = kBase, .size = kPageSize}), kBase);
    ASSERT_TRUE(map_->unmap(*a, kPageSize));
    EXPECT_EQ(*map_->map({.size = kPageSize}), *a);
    const auto low = map_->map({.size = kPageSize, .below = 0x8000'0000});
    ASSERT_TRUE(low);
    EXPECT_LT(*low, 0x8000'0000u);
    EXPECT_EQ(map_->map({.size = std::uint64_t{1} << 62}), std::unexpected(Errno::Inval));
    const auto aligned = map_->map({.size = kPageSize, .alignment = kLargePageSize});
    EXPECT_EQ(*aligned % kLargePageSize, 0u);
}

TEST_F(VmMapTest, FixedMappingsReplaceOrRefuse) {
    ASSERT_TRUE(map_->map({.address = kBase, .size = 4 * kPageSize, .fixed = true}));
    *access(*map_, page(1), FaultAccess::Write) = 7;
    EXPECT_EQ(map_->map({.address = page(1), .size = kPageSize, .fixed = true, .replace = false}),
              std::unexpected(Errno::Exist));
    ASSERT_TRUE(map_->map({.address = page(1), .size = kPageSize, .fixed = true}));
    EXPECT_EQ(*access(*map_, page(1), FaultAccess::Read), 0);
    EXPECT_EQ(map_->map({.address = kBase + 1, .size = kPageSize, .fixed = true}),
              std::unexpected(Errno::Inval));
    EXPECT_EQ(map_->map({.address = 0, .size = kPageSize, .fixed = true}),
              std::unexpected(Errno::Perm));
}

TEST_F(VmMapTest, ProtNoneKeepsThePage) {
    ASSERT_TRUE(map_->map({.address = kBase, .size = 2 * kPageSize, .fixed = true}));
    *access(*map_, kBase, FaultAccess::Write) = 9;
    ASSERT_TRUE(map_->protect(kBase, kPageSize, 0));
    EXPECT_FALSE(map_->physical(kBase));
    EXPECT_EQ(map_->fault(kBase, FaultAccess::Read), std::unexpected(Errno::Acces));
    Ref<VmMap> child = *map_->fork();
    ASSERT_TRUE(child->protect(kBase, kPageSize, kProtRead | kProtWrite));
    EXPECT_EQ(*access(*child, kBase, FaultAccess::Read), 9);
    ASSERT_TRUE(map_->protect(kBase, kPageSize, kProtRead));
    EXPECT_EQ(*access(*map_, kBase, FaultAccess::Read), 9);
    EXPECT_EQ(map_->protect(page(1), 4 * kPageSize, kProtRead), std::unexpected(Errno::NoMem));
}

TEST_F(VmMapTest, ForkSharesUntilWritten) {
    ASSERT_TRUE(map_->map({.address = kBase, .size = 4 * kPageSize, .fixed = true}));
    const Ref<VmObject> object = *AnonymousObject::create(2 * kPageSize);
    ASSERT_TRUE(map_->map({.address = page(8),
                           .size = 2 * kPageSize,
                           .shared = true,
                           .fixed = true,
                           .object = object}));
    *access(*map_, page(0), FaultAccess::Write) = 1;
    *access(*map_, page(8), FaultAccess::Write) = 2;
    Ref<VmMap> child = *map_->fork();
    EXPECT_EQ(map_->physical(page(0)), child->physical(page(0)));
    *access(*child, page(0), FaultAccess::Write) = 11;
    *access(*child, page(8), FaultAccess::Write) = 22;
    EXPECT_EQ(*access(*map_, page(0), FaultAccess::Read), 1);
    EXPECT_EQ(*access(*map_, page(8), FaultAccess::Read), 22);
    // The last user of a frame does not copy.
    const auto before = map_->physical(page(0));
    access(*map_, page(0), FaultAccess::Write);
    EXPECT_EQ(map_->physical(page(0)), before);
}

TEST_F(VmMapTest, ForkLeavesOutAndZeroesAsAsked) {
    ASSERT_TRUE(map_->map({.address = kBase, .size = 4 * kPageSize, .fixed = true}));
    for (std::uint64_t i = 0; i < 4; i++)
        *access(*map_, page(i), FaultAccess::Write) = 7;
    ASSERT_TRUE(map_->set_inheritance(page(1), kPageSize, Inherit::Zeros));
    ASSERT_TRUE(map_->set_inheritance(page(2), kPageSize, Inherit::Nothing));
    Ref<VmMap> child = *map_->fork();
    EXPECT_EQ(*access(*child, page(0), FaultAccess::Read), 7);
    EXPECT_EQ(*access(*child, page(1), FaultAccess::Read), 0);
    EXPECT_EQ(access(*child, page(2), FaultAccess::Read), nullptr);
    EXPECT_EQ(*access(*child, page(3), FaultAccess::Read), 7);
    EXPECT_EQ(*access(*map_, page(1), FaultAccess::Read), 7);
    // The child's child too; and as before once it is taken back.
    EXPECT_EQ(*access(**child->fork(), page(1), FaultAccess::Read), 0);
    ASSERT_TRUE(map_->set_inheritance(page(0), 4 * kPageSize, Inherit::Copy));
    EXPECT_EQ(*access(**map_->fork(), page(2), FaultAccess::Read), 7);
    const Ref<VmObject> object = *AnonymousObject::create(kPageSize);
    ASSERT_TRUE(
        map_->map({.address = page(8), .size = kPageSize, .fixed = true, .object = object}));
    EXPECT_EQ(map_->set_inheritance(page(8), kPageSize, Inherit::Zeros),
              std::unexpected(Errno::Inval));
}

TEST_F(VmMapTest, PrivateMappingsOfAnObjectCopyOnWrite) {
    const Ref<VmObject> object = *AnonymousObject::create(kPageSize);
    ASSERT_TRUE(map_->map(
        {.address = page(0), .size = kPageSize, .shared = true, .fixed = true, .object = object}));
    ASSERT_TRUE(
        map_->map({.address = page(1), .size = 2 * kPageSize, .fixed = true, .object = object}));
    *access(*map_, page(0), FaultAccess::Write) = 5;
    EXPECT_EQ(*access(*map_, page(1), FaultAccess::Read), 5);
    *access(*map_, page(1), FaultAccess::Write) = 6;
    EXPECT_EQ(*access(*map_, page(0), FaultAccess::Read), 5);
    ASSERT_TRUE(map_->discard(page(1), kPageSize));
    EXPECT_EQ(*access(*map_, page(1), FaultAccess::Read), 5);
    EXPECT_EQ(map_->fault(page(2), FaultAccess::Read), std::unexpected(Errno::Io));  // past its end
}

TEST_F(VmMapTest, RemapMovesContents) {
    ASSERT_TRUE(map_->map({.address = kBase, .size = 2 * kPageSize, .fixed = true}));
    ASSERT_TRUE(
        map_->map({.address = page(2), .size = kPageSize, .protection = kProtRead, .fixed = true}));
    *access(*map_, page(1), FaultAccess::Write) = 3;
    EXPECT_EQ(map_->remap(kBase, 2 * kPageSize, 4 * kPageSize, false, 0),
              std::unexpected(Errno::NoMem));
    const auto moved = map_->remap(kBase, 2 * kPageSize, 4 * kPageSize, true, 0);
    ASSERT_TRUE(moved);
    EXPECT_EQ(*access(*map_, *moved + kPageSize, FaultAccess::Read), 3);
    EXPECT_EQ(*access(*map_, *moved + 3 * kPageSize, FaultAccess::Read), 0);
    EXPECT_EQ(map_->fault(kBase, FaultAccess::Read), std::unexpected(Errno::Fault));
    EXPECT_EQ(*map_->remap(*moved, 4 * kPageSize, kPageSize, false, 0), *moved);
    EXPECT_EQ(map_->fault(*moved + kPageSize, FaultAccess::Read), std::unexpected(Errno::Fault));
}

TEST_F(VmMapTest, BreakGrowsAndShrinks) {
    map_->set_brk_start(kBase);
    ASSERT_TRUE(map_->set_brk(kBase + 100));
    *access(*map_, kBase + 50, FaultAccess::Write) = 1;
    ASSERT_TRUE(map_->set_brk(kBase + 3 * kPageSize));
    EXPECT_EQ(*access(*map_, kBase + 50, FaultAccess::Read), 1);
    ASSERT_TRUE(map_->set_brk(kBase));
    EXPECT_EQ(map_->fault(kBase, FaultAccess::Read), std::unexpected(Errno::Fault));
    EXPECT_FALSE(map_->set_brk(kBase - 1));
}

TEST_F(VmMapTest, OutOfMemoryLeavesEverythingInPlace) {
    ASSERT_TRUE(map_->map({.address = kBase, .size = kPages * kPageSize, .fixed = true}));
    for (std::uint64_t i = 0; i < kPages; i += 2)
        *access(*map_, page(i), FaultAccess::Write) = static_cast<std::uint8_t>(i);
    for (std::size_t more = 0; more < 8; more++) {
        kernel::testing::frame_limit = kernel::testing::frames_in_use + more;
        (void)map_->fork();
        (void)map_->fault(page(1), FaultAccess::Write);
        (void)map_->remap(kBase, kPages * kPageSize, 2 * kPages * kPageSize, true,
                          0x7000'0000'0000);
        kernel::testing::frame_limit = kernel::testing::kHostFrames;
        if (!map_->fault(kBase, FaultAccess::Read))
            break;  // it was moved at last
        for (std::uint64_t i = 0; i < kPages; i += 2)
            ASSERT_EQ(*access(*map_, page(i), FaultAccess::Read), i);
    }
}

struct ModelPage {
    std::uint32_t protection;
    std::uint8_t value;
};

TEST_F(VmMapTest, AgreesWithAModelUnderRandomOperations) {
    std::mt19937 random(7);
    using Model = std::map<std::uint64_t, ModelPage>;
    struct Space {
        Ref<VmMap> map;
        Model model;
    };
    std::vector<Space> spaces;
    spaces.push_back({map_, {}});
    for (int step = 0; step < 6000; step++) {
        Space& s = spaces[random() % spaces.size()];
        const std::uint64_t first = random() % kPages, count = 1 + random() % 8,
                            end = std::min(first + count, kPages);
        const std::uint32_t protection = std::array{0u, kProtRead, kProtRead | kProtWrite,
                                                    kProtRead | kProtExecute}[random() % 4];
        switch (random() % 8) {
            case 0:
            case 1:
                ASSERT_TRUE(s.map->map({.address = page(first),
                                        .size = (end - first) * kPageSize,
                                        .protection = protection,
                                        .fixed = true}));
                for (std::uint64_t i = first; i < end; i++)
                    s.model[i] = {protection, 0};
                break;
            case 2:
                ASSERT_TRUE(s.map->unmap(page(first), (end - first) * kPageSize));
                for (std::uint64_t i = first; i < end; i++)
                    s.model.erase(i);
                break;
            case 3: {
                bool all = true;
                for (std::uint64_t i = first; i < end; i++)
                    all = all && s.model.contains(i);
                const auto result =
                    s.map->protect(page(first), (end - first) * kPageSize, protection);
                ASSERT_EQ(result.has_value(), all);
                if (all)
                    for (std::uint64_t i = first; i < end; i++)
                        s.model[i].protection = protection;
                break;
            }
            case 4:
                ASSERT_TRUE(s.map->discard(page(first), (end - first) * kPageSize));
                for (std::uint64_t i = first; i < end; i++)
                    if (s.model.contains(i))
                        s.model[i].value = 0;
                break;
            case 5:
                if (spaces.size() < 4) {
                    Space child{*s.map->fork(), s.model};
                    spaces.push_back(std::move(child));
                } else {
                    spaces.erase(spaces.begin() + 1 + static_cast<std::ptrdiff_t>(random() % 3));
                }
                break;
            default: {
                std::uint8_t* byte = access(*s.map, page(first), FaultAccess::Write);
                const bool allowed =
                    s.model.contains(first) && s.model[first].protection & kProtWrite;
                ASSERT_EQ(byte != nullptr, allowed);
                if (byte)
                    *byte = s.model[first].value = static_cast<std::uint8_t>(random());
                break;
            }
        }
        Space& check = spaces[random() % spaces.size()];
        for (std::uint64_t i = 0; i < kPages; i++) {
            const std::uint8_t* byte = access(*check.map, page(i), FaultAccess::Read);
            const bool readable = check.model.contains(i) && check.model[i].protection != 0;
            ASSERT_EQ(byte != nullptr, readable) << "page " << i << " step " << step;
            if (byte) {
                ASSERT_EQ(*byte, check.model[i].value) << "page " << i << " step " << step;
            }
        }
    }
}

}  // namespace
}  // namespace skep::kernel
