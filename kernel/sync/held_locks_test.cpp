#include <kernel/sync/held_locks.hpp>
#include <kernel/sync/wait.hpp>

#include <gtest/gtest.h>

namespace skep::kernel {
namespace {

TEST(HeldLocks, WhatStandsBelowMayBeTaken) {
    HeldSpinLocks held;
    held.check("process tree");
    held.add("process tree");
    held.check("Process");
    held.add("Process");
    held.remove("process tree");  // not the last one: in any order
    held.check("RunQueue");
    held.remove("Process");
    EXPECT_TRUE(held.empty());
    held.check("process tree");
}

TEST(HeldLocksDeathTest, WhatStandsAboveMayNot) {
    HeldSpinLocks held;
    held.add("Process");
    EXPECT_DEATH(held.check("process tree"), "lock order: process tree is taken under Process");
    EXPECT_DEATH(held.check("Process"), "Process is taken under Process");
    EXPECT_DEATH(held.remove("log"), "log is given up");
}

TEST(HeldLocksDeathTest, LocksAreChecked) {
    Mutex outer{"VnodeFile position"}, inner{"VmMap"};
    SpinLock spin{"log"};
    const MutexGuard first(outer);
    { const MutexGuard second(inner); }
    EXPECT_DEATH(
        {
            const MutexGuard second(inner);
            const MutexGuard again(outer);
        },
        "taken under");
    EXPECT_DEATH(
        {
            const SpinGuard guard(spin);
            const MutexGuard second(inner);
        },
        "VmMap with spin lock log held");
}

}  // namespace
}  // namespace skep::kernel
