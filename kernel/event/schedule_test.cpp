#include <kernel/event/schedule.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

namespace skep::kernel {
namespace {

struct Loads final : LoadView {
    std::vector<Load> all;
    mutable std::set<std::uint32_t> looked_at;
    explicit Loads(std::vector<Load> loads) : all(std::move(loads)) {}
    std::uint32_t count() const override { return static_cast<std::uint32_t>(all.size()); }
    Load load(std::uint32_t index) const override {
        looked_at.insert(index);
        return all[index];
    }
};

Random random_of(std::uint64_t seed) {
    return Random(seed);
}

TEST(Schedule, ParsesWhatTheHeaderMakes) {
    const Schedule best = Schedule::parse(4 | 2 << 8 | 1 << 16 | 9 << 24).value();
    EXPECT_EQ(best.scheduler, Scheduler::Best);
    EXPECT_EQ(best.candidates, 2);
    EXPECT_EQ(best.steal_most, 9);
    EXPECT_EQ(Schedule::parse(0).value().steal_most, 0);
    EXPECT_EQ(Schedule::parse(1 << 16).value().steal_most, 1);
    EXPECT_EQ(Schedule::parse(9u << 24).value().steal_most, 0);
    for (const std::uint32_t wrong : {3u, 5u, 8u, 0xffu, 2u << 16, 0x81u << 16})
        EXPECT_EQ(Schedule::parse(wrong).error(), Errno::Inval) << wrong;
}

TEST(Schedule, LatencyIsTimeByEventsAndSaturates) {
    EXPECT_EQ((Load{.average = 7, .queued = 3}.latency()), 21u);
    EXPECT_EQ((Load{.average = kForever / 2, .queued = 3}.latency()), kForever);
    EXPECT_TRUE((Load{.average = 2, .queued = 3}.lower_than({.average = 7, .queued = 1})));
    EXPECT_TRUE((Load{.average = 2, .queued = 0, .idle = true}.lower_than({.average = 1})));
    EXPECT_FALSE((Load{.average = 2}.lower_than({.average = 2})));
}

TEST(Schedule, OneSampleMovesTheAverageByAFifth) {
    EXPECT_EQ(smoothed(1000, 2000), 1200u);
    EXPECT_EQ(smoothed(1000, 0), 800u);
    EXPECT_EQ(smoothed(0, 500), 100u);
    EXPECT_GT(smoothed(kForever, kForever), kForever - 10);
    Nanoseconds average = 0;
    for (int i = 0; i < 100; i++)
        average = smoothed(average, 10'000);
    EXPECT_NEAR(static_cast<double>(average), 10'000, 10);
}

TEST(Schedule, RandomReachesEachAboutEquallyOften) {
    const Loads loads(std::vector<Load>(5));
    std::vector<int> hits(5);
    for (std::uint64_t seed = 0; seed < 5000; seed++) {
        Random random = random_of(seed);
        hits[choose_queue({}, loads, nullptr, random).value()]++;
    }
    for (const int n : hits)
        EXPECT_NEAR(n, 1000, 150);
}

TEST(Schedule, NoQueueNoChoice) {
    const Loads none({});
    Random random = random_of(1);
    for (const Scheduler s : {Scheduler::Random, Scheduler::Queue, Scheduler::Cpu, Scheduler::Best})
        EXPECT_FALSE(choose_queue({.scheduler = s, .candidates = 3}, none, nullptr, random));
}

TEST(Schedule, BestOfAllIsTheLowest) {
    const Loads loads({{.average = 10, .queued = 5},
                       {.average = 100, .queued = 0},
                       {.average = 10, .queued = 3}});
    for (std::uint64_t seed = 0; seed < 50; seed++) {
        Random random = random_of(seed);
        const Schedule schedule{.scheduler = Scheduler::Best, .candidates = 3};
        EXPECT_EQ(choose_queue(schedule, loads, nullptr, random), 1u);
    }
}

TEST(Schedule, BestLooksAtNoMoreThanItWasTold) {
    const Loads loads(std::vector<Load>(100, {.average = 1, .queued = 1}));
    Random random = random_of(7);
    ASSERT_TRUE(
        choose_queue({.scheduler = Scheduler::Best, .candidates = 2}, loads, nullptr, random));
    EXPECT_LE(loads.looked_at.size(), 2u);
}

TEST(Schedule, TheLocalQueueKeepsItUnlessAnotherIsBelowFourFifths) {
    const Load local{.average = 100, .queued = 10};
    const Schedule schedule{.scheduler = Scheduler::Cpu, .candidates = 1};
    Random random = random_of(3);
    EXPECT_FALSE(choose_queue(schedule, Loads({{.average = 100, .queued = 8}}), &local, random));
    EXPECT_EQ(choose_queue(schedule, Loads({{.average = 100, .queued = 7}}), &local, random), 0u);
    const Load empty{.average = 100};
    EXPECT_FALSE(choose_queue(schedule, Loads({{.average = 0, .queued = 0}}), &empty, random));
    const Schedule alone{.scheduler = Scheduler::Queue};
    EXPECT_FALSE(choose_queue(alone, Loads({{.average = 0, .queued = 0}}), &local, random));
    EXPECT_EQ(choose_queue(alone, Loads({{.average = 0, .queued = 0}}), nullptr, random), 0u);
}

// Equal times and nobody collects: the queues fill evenly.
TEST(Schedule, BestOfAllIsFair) {
    Loads loads(std::vector<Load>(7, {.average = 1}));
    for (std::uint64_t event = 0; event < 1000; event++) {
        Random random = random_of(event);
        const Schedule schedule{.scheduler = Scheduler::Best, .candidates = 7};
        loads.all[choose_queue(schedule, loads, nullptr, random).value()].queued++;
        const auto [least, most] = std::ranges::minmax(loads.all, {}, &Load::queued);
        ASSERT_LE(most.queued - least.queued, 1u);
    }
}

}  // namespace
}  // namespace skep::kernel
