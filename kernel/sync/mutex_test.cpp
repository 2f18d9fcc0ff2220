// Urgency lent over mutexes, with threads of the host.
#include <kernel/sched/thread_impl.hpp>
#include <kernel/sync/wait.hpp>

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace skep::kernel {
namespace {

void wait_for(auto condition) {
    while (!condition())
        std::this_thread::yield();
}

TEST(Mutex, WhoWaitsLendsToTheOwner) {
    Mutex mutex{"VmMap"};
    Thread& me = current_thread();
    me.level = kLevelUserLast;
    mutex.lock();
    std::thread urgent([&] {
        current_thread().level = kLevelUserFirst;
        const MutexGuard guard(mutex);
        EXPECT_EQ(me.urgency(), kLevelUserLast);
    });
    wait_for([&] { return me.urgency() == kLevelUserFirst; });
    EXPECT_FALSE(mutex.try_lock());
    mutex.unlock();
    EXPECT_EQ(me.urgency(), kLevelUserLast);
    urgent.join();
    EXPECT_TRUE(mutex.try_lock());
    mutex.unlock();
}

TEST(Mutex, LendingGoesOnToWhomTheOwnerWaitsFor) {
    Mutex first{"VmMap"}, second{"Tty"};
    Thread& me = current_thread();
    me.level = kLevelUserLast;
    first.lock();
    std::atomic<Thread*> middle_thread{nullptr};
    std::thread middle([&] {
        current_thread().level = 3;
        const MutexGuard outer(second);
        middle_thread = &current_thread();
        const MutexGuard inner(first);
    });
    wait_for([&] { return me.urgency() == 3; });
    std::thread urgent([&] {
        current_thread().level = kLevelKernel;
        const MutexGuard guard(second);
    });
    wait_for([&] { return me.urgency() == kLevelKernel; });
    EXPECT_EQ(middle_thread.load()->urgency(), kLevelKernel);
    first.unlock();
    EXPECT_EQ(me.urgency(), kLevelUserLast);
    middle.join();
    urgent.join();
}

TEST(Mutex, TheMostUrgentIsNextAndTheOthersLendToIt) {
    Mutex mutex{"VmMap"};
    Thread& me = current_thread();
    me.level = kLevelUserLast;
    mutex.lock();
    std::atomic<int> next{0};
    std::thread late([&] {
        current_thread().level = 3;
        const MutexGuard guard(mutex);
        EXPECT_EQ(next++, 1);
    });
    wait_for([&] { return me.urgency() == 3; });
    std::thread early([&] {
        current_thread().level = 2;
        const MutexGuard guard(mutex);
        EXPECT_EQ(next++, 0);
    });
    wait_for([&] { return me.urgency() == 2; });
    mutex.unlock();
    early.join();
    late.join();
    EXPECT_EQ(next, 2);
}

TEST(Mutex, ExcludesUnderLoad) {
    Mutex mutex{"VmMap"};
    std::uint64_t count = 0;
    constexpr int kThreads = 4, kTimes = 20000;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; i++)
        threads.emplace_back([&, i] {
            current_thread().level = static_cast<std::uint8_t>(1 + i);
            for (int j = 0; j < kTimes; j++) {
                const MutexGuard guard(mutex);
                count++;
            }
            EXPECT_EQ(current_thread().urgency(), 1 + i);
            EXPECT_EQ(current_thread().contended_mutexes, 0u);
        });
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(count, std::uint64_t{kThreads} * kTimes);
}

}  // namespace
}  // namespace skep::kernel
