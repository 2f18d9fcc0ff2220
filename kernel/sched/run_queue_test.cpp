#include <kernel/sched/run_queue.hpp>

#include <gtest/gtest.h>

#include <array>

namespace skep::kernel {
namespace {

struct RunQueueTest : ::testing::Test {
    Thread& thread(std::size_t index, std::uint8_t level) {
        threads[index].level = level;
        return threads[index];
    }
    RunQueue queue;
    std::array<Thread, 4> threads;
};

TEST_F(RunQueueTest, TheMostUrgentLevelComesFirstAndInOrder) {
    queue.put_back(thread(0, kLevelUserLast), 0);
    queue.put_back(thread(1, kLevelUserFirst), 0);
    queue.put_back(thread(2, kLevelUserFirst), 0);
    queue.put_front(thread(3, kLevelUserFirst));
    EXPECT_EQ(queue.length(), 4u);
    for (const std::size_t expected : {3u, 1u, 2u, 0u})
        EXPECT_EQ(queue.take(0), &threads[expected]);
    EXPECT_EQ(queue.take(0), nullptr);
    EXPECT_TRUE(queue.empty());
}

TEST_F(RunQueueTest, NoLevelStarves) {
    queue.put_back(thread(0, kLevelUserLast), 0);
    queue.put_back(thread(1, 2), 0);
    // One that is always there at once keeps the others waiting for their patience, and no longer.
    Thread& busy = thread(2, kLevelUserFirst);
    std::array<unsigned, 4> turns{};
    Nanoseconds now = 0;
    for (int i = 0; i < 400; i++, now += 1'000'000) {
        if (!busy.ListNode<RunTag>::linked())
            queue.put_back(busy, now);
        Thread* next = queue.take(now);
        ASSERT_TRUE(next);
        turns[static_cast<std::size_t>(next - threads.data())]++;
        if (next != &busy) {
            EXPECT_EQ(next->level, kLevelUserFirst);
            next->level = next == &threads[0] ? kLevelUserLast : 2;
            queue.put_back(*next, now);
        }
    }
    EXPECT_GE(turns[0], 10u);
    EXPECT_GE(turns[1], 10u);
    EXPECT_GE(turns[2], 200u);
}

// However late each turn ends, what was used beyond the slice is made up for.
TEST_F(RunQueueTest, SharesAreAsTheSlices) {
    constexpr Nanoseconds kLate = 1'000'000;
    Nanoseconds now = 0;
    std::array<Nanoseconds, 2> used{};
    thread(1, kLevelUserLast).slice = slice_of(10);
    queue.put_back(thread(0, kLevelUserLast), now);
    queue.put_back(threads[1], now);
    for (int i = 0; i < 4000; i++) {
        Thread* next = queue.take(now);
        ASSERT_TRUE(next);
        if (next->slice_ended())
            next->slice_used = 0;
        const Nanoseconds turn = next->slice - next->slice_used + kLate;
        used[static_cast<std::size_t>(next - threads.data())] += turn;
        now += turn;
        next->slice_used = kLate;
        next->level = kLevelUserLast;
        queue.put_back(*next, now);
    }
    const double wanted = double(kSlice) / double(slice_of(10));
    EXPECT_NEAR(double(used[0]) / double(used[1]), wanted, wanted / 10);
}

TEST_F(RunQueueTest, KernelThreadsGiveWayToNobody) {
    queue.put_back(thread(0, kLevelUserFirst), 0);
    for (Nanoseconds now = 10 * kPatience; now < 20 * kPatience; now += kPatience) {
        queue.put_back(thread(1, kLevelKernel), now);
        EXPECT_EQ(queue.take(now), &threads[1]);
    }
}

TEST_F(RunQueueTest, AThiefTakesWhatMayRunThereAndIsNotOnACpu) {
    queue.put_back(thread(0, 1), 0);
    queue.put_back(thread(1, 1), 0);
    queue.put_back(thread(2, 3), 0);
    threads[0].on_cpu = true;
    threads[1].affinity = 1;
    EXPECT_EQ(queue.steal(1), &threads[2]);
    EXPECT_EQ(queue.steal(1), nullptr);
    EXPECT_EQ(queue.length(), 2u);
}

TEST_F(RunQueueTest, ALoanMovesAThreadUpAndItsLevelStays) {
    RunQueue other;
    queue.put_back(thread(0, 2), 0);
    queue.put_back(thread(1, kLevelUserLast), 0);
    threads[1].lent = kLevelUserFirst;
    EXPECT_FALSE(other.move(threads[1]));
    EXPECT_TRUE(queue.move(threads[1]));
    EXPECT_TRUE(queue.has_urgent(kLevelUserFirst));
    EXPECT_EQ(queue.take(0), &threads[1]);
    EXPECT_FALSE(queue.move(threads[1]));
    EXPECT_EQ(threads[1].level, kLevelUserLast);
    // What is lent while it is in no queue counts when it comes.
    queue.put_back(threads[1], 0);
    EXPECT_EQ(queue.take(0), &threads[1]);
    EXPECT_EQ(queue.take(0), &threads[0]);
    EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace skep::kernel
