#include <kernel/vfs/record_locks.hpp>

#include <gtest/gtest.h>

#include <thread>

namespace skep::kernel {
namespace {

const int owner_a = 0, owner_b = 0;
RecordLock lock(const void* owner, LockType type, std::uint64_t first, std::uint64_t last) {
    return {.owner = owner, .process = 1, .type = type, .first = first, .last = last};
}

TEST(RecordLocks, SharedAgreeExclusiveDoNot) {
    RecordLocks locks;
    EXPECT_TRUE(locks.set(lock(&owner_a, LockType::Shared, 0, 99), false));
    EXPECT_TRUE(locks.set(lock(&owner_b, LockType::Shared, 50, 149), false));
    EXPECT_EQ(locks.set(lock(&owner_b, LockType::Exclusive, 99, 99), false).error(), Errno::Again);
    EXPECT_TRUE(locks.set(lock(&owner_b, LockType::Exclusive, 100, 120), false));
    EXPECT_EQ(locks.set(lock(&owner_a, LockType::Shared, 90, 110), false).error(), Errno::Again);
    EXPECT_TRUE(locks.set(lock(&owner_a, LockType::Exclusive, 0, 49), false));
}

TEST(RecordLocks, UnlockSplits) {
    RecordLocks locks;
    EXPECT_TRUE(locks.set(lock(&owner_a, LockType::Exclusive, 0, ~0ull), false));
    EXPECT_TRUE(locks.set(lock(&owner_a, LockType::Unlock, 10, 19), false));
    EXPECT_TRUE(locks.set(lock(&owner_b, LockType::Exclusive, 10, 19), false));
    EXPECT_EQ(locks.conflict(lock(&owner_b, LockType::Shared, 9, 9)).last, 9u);
    EXPECT_EQ(locks.conflict(lock(&owner_b, LockType::Shared, 20, 20)).first, 20u);
    locks.release_owner(&owner_a);
    EXPECT_EQ(locks.conflict(lock(&owner_b, LockType::Exclusive, 0, ~0ull)).type, LockType::Unlock);
}

TEST(RecordLocks, WaiterGetsItWhenReleased) {
    RecordLocks locks;
    EXPECT_TRUE(locks.set(lock(&owner_a, LockType::Exclusive, 0, 9), false));
    std::thread waiter(
        [&] { EXPECT_TRUE(locks.set(lock(&owner_b, LockType::Exclusive, 5, 5), true)); });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    locks.release_owner(&owner_a);
    waiter.join();
    EXPECT_EQ(locks.set(lock(&owner_a, LockType::Shared, 5, 5), false).error(), Errno::Again);
}

}  // namespace
}  // namespace skep::kernel
