#include <kernel/include/uapi/skep/vmm.h>
#include <kernel/dev/vmm/guest_memory.hpp>
#include <kernel/testing/host.hpp>

#include <gtest/gtest.h>

#include <cstring>

namespace skep::kernel::vmm {
namespace {

constexpr std::uint64_t kLarge = kLargePageSize;

Ref<GuestMemory> memory() {
    return Ref<GuestMemory>::adopt(new GuestMemory);
}

TEST(GuestMemory, ShowsRamByGuestPhysicalAddress) {
    const std::size_t before = testing::frames_in_use;
    {
        const auto ram = memory();
        MemorySlot* high = MemorySlot::create(4 * kLarge, 2 * kLarge);
        MemorySlot* low = MemorySlot::create(0, kLarge);
        ASSERT_TRUE(ram->add(high) && ram->add(low));
        const auto* bytes = static_cast<const std::uint8_t*>(direct_map(high->frames()[1]));
        EXPECT_TRUE(bytes[0] == 0 && std::memcmp(bytes, bytes + 1, kLarge - 1) == 0)
            << "not zeroed";

        const auto page = ram->page((5 * kLarge + 4096) / kPageSize, true);
        ASSERT_TRUE(page);
        EXPECT_EQ(page->frame, high->frames()[1]);
        EXPECT_EQ(page->order, 9);
        EXPECT_FALSE(page->counted);
        EXPECT_EQ(ram->page(kLarge / kPageSize, false).error(), Errno::Fault);
        EXPECT_EQ(ram->page(6 * kLarge / kPageSize, false).error(), Errno::Fault);
    }
    EXPECT_EQ(testing::frames_in_use, before);
}

TEST(GuestMemory, RefusesOverlap) {
    const auto ram = memory();
    ASSERT_TRUE(ram->add(MemorySlot::create(2 * kLarge, 2 * kLarge)));
    for (const std::uint64_t gpa : {1 * kLarge, 2 * kLarge, 3 * kLarge}) {
        MemorySlot* slot = MemorySlot::create(gpa, 2 * kLarge);
        EXPECT_EQ(ram->add(slot).error(), Errno::Exist);
        delete slot;
    }
    EXPECT_TRUE(ram->add(MemorySlot::create(4 * kLarge, kLarge)));
}

TEST(GuestMemory, CoversWhatIsThereOnly) {
    const auto ram = memory();
    ASSERT_TRUE(ram->add(MemorySlot::create(0, 2 * kLarge)) &&
                ram->add(MemorySlot::create(2 * kLarge, kLarge)));
    EXPECT_TRUE(ram->covers(0, 3 * kLarge));
    EXPECT_TRUE(ram->covers(kLarge, kPageSize));
    EXPECT_FALSE(ram->covers(0, 3 * kLarge + kPageSize));
    EXPECT_FALSE(ram->covers(kLarge, ~0ull));
    EXPECT_FALSE(ram->covers(0, 0));
    EXPECT_FALSE(ram->covers(uapi::VMM_PAGE_OFFSET, kPageSize));
    ASSERT_TRUE(ram->vcpu_page(0));
    EXPECT_TRUE(ram->covers(uapi::VMM_PAGE_OFFSET, kPageSize));
    EXPECT_FALSE(ram->covers(uapi::VMM_PAGE_OFFSET, 2 * kPageSize));
    EXPECT_EQ(ram->page(uapi::VMM_PAGE_OFFSET / kPageSize, true)->frame, *ram->vcpu_page(0));
    EXPECT_EQ(ram->page(uapi::VMM_PAGE_OFFSET / kPageSize + 64, true).error(), Errno::Fault);
}

TEST(GuestMemory, GivesBackWhenMemoryRunsOut) {
    const std::size_t before = testing::frames_in_use;
    testing::frame_limit = before + 3 * 512;
    EXPECT_EQ(MemorySlot::create(0, 4 * kLarge), nullptr);
    testing::frame_limit = testing::kHostFrames;
    EXPECT_EQ(testing::frames_in_use, before);
}

}  // namespace
}  // namespace skep::kernel::vmm
