#include <kernel/event/kqueue.hpp>
#include <kernel/ipc/pipe.hpp>
#include <kernel/sched/thread_impl.hpp>
#include <kernel/testing/host.hpp>
#include <kernel/vfs/descriptor_table.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <barrier>
#include <functional>
#include <map>
#include <thread>

namespace skep::kernel {
namespace {

constexpr Nanoseconds kPatience = 60'000'000'000;
constexpr std::uint32_t kQueue = 1, kCpu = 2, kBest = 4;
constexpr std::uint32_t make(std::uint32_t scheduler, std::uint32_t candidates = 0,
                             std::uint32_t steal = 0) {
    return scheduler | candidates << 8 | (steal ? 1u << 16 : 0) | steal << 24;
}

// A program's thread: as it ends, it leaves its queues.
class Worker {
  public:
    template <typename Work>
    explicit Worker(Work work)
        : thread_([work] {
              work();
              current_thread().event_queues.leave();
          }) {}
    ~Worker() { thread_.join(); }

  private:
    std::thread thread_;
};

class ScheduledKqueue : public ::testing::Test {
  protected:
    ScheduledKqueue() : table_(*make_ref<DescriptorTable>()) {}
    ~ScheduledKqueue() override {
        table_->close_all();
        current_thread().event_queues.leave();
    }
    Ref<Kqueue> create(std::uint32_t argument) {
        Ref<Kqueue> queue = *Kqueue::create(KqueueView::Kqueue);
        EXPECT_TRUE(queue->schedule(argument));
        descriptor_ = add(queue);
        return queue;
    }
    std::uint32_t add(Ref<File> file) { return *table_->add(std::move(file), false, 2000); }
    Ref<File> file(std::uint32_t fd) { return *table_->get(fd); }
    static Result<> user(Kqueue& queue, std::uint64_t ident, std::uint16_t flags,
                         std::uint32_t fflags = 0) {
        return queue.apply(
            {.ident = ident, .filter = kFilterUser, .flags = flags, .fflags = fflags}, {}, nullptr);
    }
    static void trigger(Kqueue& queue, std::uint64_t ident) {
        EXPECT_TRUE(user(queue, ident, 0, kNoteUserTrigger));
    }
    static std::vector<Kevent> wait(Kqueue& queue, std::size_t most = 64, Nanoseconds within = 0) {
        std::vector<Kevent> events(most);
        auto found = queue.wait(events, within ? monotonic_now() + within : 0);
        events.resize(found.value_or(0));
        return events;
    }
    Result<> watch(Kqueue& queue, std::uint32_t fd, std::uint16_t flags = 0) {
        return queue.apply({.ident = fd,
                            .filter = kFilterRead,
                            .flags = static_cast<std::uint16_t>(kEventAdd | flags)},
                           file(fd), table_.get());
    }
    static void write(File& file) {
        const char byte = 'x';
        const IoSegment segment{reinterpret_cast<UserAddr>(&byte), 1};
        Uio uio = Uio::kernel({&segment, 1});
        EXPECT_TRUE(file.write(uio, nullptr));
    }
    static void read(File& file) {
        char byte;
        const IoSegment segment{reinterpret_cast<UserAddr>(&byte), 1};
        Uio uio = Uio::kernel({&segment, 1});
        EXPECT_EQ(file.read(uio, nullptr).value_or(0), 1u);
    }
    struct Ends {
        std::uint32_t read, write;
    };
    Ends pipe() {
        PipePair pair = *create_pipe(kOpenNonblock);
        return {add(pair.read_end), add(pair.write_end)};
    }

    Ref<DescriptorTable> table_;
    std::uint32_t descriptor_ = 0;
};

TEST_F(ScheduledKqueue, IsDecidedBeforeTheFirstUse) {
    Ref<Kqueue> queue = *Kqueue::create(KqueueView::Kqueue);
    EXPECT_EQ(queue->schedule(3).error(), Errno::Inval);
    EXPECT_EQ(queue->schedule(make(kBest, 2) | 2 << 16).error(), Errno::Inval);
    EXPECT_TRUE(queue->schedule(make(kBest, 2)));
    EXPECT_EQ(queue->schedule(0).error(), Errno::Inval);
    Ref<Kqueue> used = *Kqueue::create(KqueueView::Kqueue);
    ASSERT_TRUE(user(*used, 1, kEventAdd));
    EXPECT_EQ(used->schedule(0).error(), Errno::Inval);
    Ref<Kqueue> waited = *Kqueue::create(KqueueView::Kqueue);
    EXPECT_TRUE(wait(*waited).empty());
    EXPECT_EQ(waited->schedule(0).error(), Errno::Inval);
    Ref<Kqueue> epoll = *Kqueue::create(KqueueView::Epoll);
    EXPECT_EQ(epoll->schedule(0).error(), Errno::Inval);
}

TEST_F(ScheduledKqueue, CannotBePolled) {
    Ref<Kqueue> queue = create(0), plain = *Kqueue::create(KqueueView::Kqueue);
    EXPECT_EQ(queue->ready(kReadable), kError);
    EXPECT_EQ(watch(*plain, descriptor_).error(), Errno::Inval);
    Ref<Kqueue> epoll = *Kqueue::create(KqueueView::Epoll);
    EXPECT_EQ(epoll->epoll_add(descriptor_, queue, kReadable, 0, 0).error(), Errno::Inval);
    // One that is watched has been used.
    Ref<Kqueue> inner = *Kqueue::create(KqueueView::Kqueue);
    ASSERT_TRUE(watch(*plain, add(inner)));
    EXPECT_EQ(inner->schedule(0).error(), Errno::Inval);
}

TEST_F(ScheduledKqueue, WhatComesBeforeTheFirstThreadWaitsForIt) {
    for (const std::uint32_t policy : {make(0), make(kQueue, 2), make(kCpu), make(kBest, 3)}) {
        Ref<Kqueue> queue = create(policy);
        for (std::uint64_t i = 0; i < 10; i++) {
            ASSERT_TRUE(user(*queue, i, kEventAdd | kEventClear));
            trigger(*queue, i);
        }
        EXPECT_EQ(wait(*queue).size(), 10u);
        EXPECT_TRUE(wait(*queue).empty());
    }
}

// Nobody collects meanwhile, and the best is sought among all: the queues fill evenly.
TEST_F(ScheduledKqueue, BestOfAllIsFair) {
    constexpr std::size_t kThreads = 5, kEvents = 503;
    Ref<Kqueue> queue = create(make(kBest, kThreads));
    std::barrier step(kThreads + 1);
    std::vector<std::size_t> counts(kThreads);
    std::vector<std::atomic<int>> seen(kEvents);
    {
        std::vector<std::unique_ptr<Worker>> workers;
        for (std::size_t t = 0; t < kThreads; t++)
            workers.push_back(std::make_unique<Worker>([&, t] {
                EXPECT_TRUE(wait(*queue).empty());
                step.arrive_and_wait();  // all have a queue
                step.arrive_and_wait();  // all is triggered
                for (std::vector<Kevent> events; !(events = wait(*queue)).empty();)
                    for (const Kevent& event : events) {
                        seen[event.ident]++;
                        counts[t]++;
                    }
                step.arrive_and_wait();
            }));
        step.arrive_and_wait();
        for (std::uint64_t i = 0; i < kEvents; i++) {
            ASSERT_TRUE(user(*queue, i, kEventAdd | kEventOneshot));
            trigger(*queue, i);
        }
        step.arrive_and_wait();
        step.arrive_and_wait();
    }
    const auto [least, most] = std::ranges::minmax(counts);
    EXPECT_LE(most - least, 1u);
    EXPECT_TRUE(std::ranges::all_of(seen, [](const auto& n) { return n == 1; }));
}

// What a thread has been handed, and what waits for it, is for others once it has ended.
TEST_F(ScheduledKqueue, AThreadThatEndsLeavesItsEvents) {
    Ref<Kqueue> queue = create(make(kQueue));
    Ends first = pipe(), second = pipe();
    {
        Worker ends([&] {
            EXPECT_TRUE(wait(*queue).empty());
            ASSERT_TRUE(watch(*queue, first.read));
            ASSERT_TRUE(watch(*queue, second.read));
            write(*file(first.write));
            EXPECT_EQ(wait(*queue).size(), 1u);
            write(*file(second.write));
        });
    }
    EXPECT_EQ(wait(*queue).size(), 2u);
    read(*file(first.read));
    read(*file(second.read));
    EXPECT_TRUE(wait(*queue).empty());
}

TEST_F(ScheduledKqueue, QueueKeepsToTheThreadThatGotItFirst) {
    Ref<Kqueue> queue = create(make(kQueue));
    EXPECT_TRUE(wait(*queue).empty());
    std::barrier step(2);
    int here = 0, there = 0;
    Worker other([&] {
        EXPECT_TRUE(wait(*queue).empty());
        step.arrive_and_wait();
        for (int i = 0; i < 20; i++) {
            step.arrive_and_wait();
            there += static_cast<int>(wait(*queue).size());
            step.arrive_and_wait();
        }
    });
    step.arrive_and_wait();
    ASSERT_TRUE(user(*queue, 1, kEventAdd | kEventClear));
    for (int i = 0; i < 20; i++) {
        trigger(*queue, 1);
        step.arrive_and_wait();
        here += static_cast<int>(wait(*queue).size());
        step.arrive_and_wait();
    }
    EXPECT_TRUE((here == 20 && there == 0) || (here == 0 && there == 20)) << here << " " << there;
}

// A better queue gets an event while the first one is loaded; the next is the first one's again.
TEST_F(ScheduledKqueue, QueueComesBackToTheFirstThread) {
    Ref<Kqueue> queue = create(make(kQueue, 2));
    EXPECT_TRUE(wait(*queue).empty());
    for (std::uint64_t i = 0; i <= 10; i++) {
        ASSERT_TRUE(user(*queue, i, kEventAdd | kEventClear));
        trigger(*queue, i);
    }
    EXPECT_EQ(wait(*queue).size(), 11u);
    for (std::uint64_t i = 1; i <= 10; i++)
        trigger(*queue, i);
    std::barrier step(2);
    Worker other([&] {
        EXPECT_TRUE(wait(*queue).empty());
        step.arrive_and_wait();
        step.arrive_and_wait();
        EXPECT_EQ(wait(*queue).size(), 1u);
        step.arrive_and_wait();
        step.arrive_and_wait();
        EXPECT_TRUE(wait(*queue).empty());
    });
    step.arrive_and_wait();
    trigger(*queue, 0);
    EXPECT_EQ(wait(*queue).size(), 10u);
    step.arrive_and_wait();
    step.arrive_and_wait();
    trigger(*queue, 0);
    EXPECT_EQ(wait(*queue).size(), 1u);
    step.arrive_and_wait();
}

TEST_F(ScheduledKqueue, AffinityIsToTheThreadThatRegisters) {
    Ref<Kqueue> queue = create(make(0, 0, 4));
    std::barrier step(2);
    Worker other([&] {
        EXPECT_TRUE(wait(*queue).empty());
        step.arrive_and_wait();
        step.arrive_and_wait();
        EXPECT_TRUE(wait(*queue).empty());  // nor may they be stolen
        step.arrive_and_wait();
        step.arrive_and_wait();
        EXPECT_EQ(wait(*queue).size(), 8u);
    });
    step.arrive_and_wait();
    for (std::uint64_t i = 0; i < 8; i++) {
        ASSERT_TRUE(user(*queue, i, kEventAdd | kEventClear));
        trigger(*queue, i);  // perhaps in the other's queue: it comes over
        ASSERT_TRUE(user(*queue, i, kEventAdd | kEventClear | kEventAffinity));
    }
    step.arrive_and_wait();
    step.arrive_and_wait();
    const std::vector<Kevent> mine = wait(*queue);
    EXPECT_EQ(mine.size(), 8u);
    for (const Kevent& event : mine)
        EXPECT_TRUE(event.flags & kEventAffinity);
    for (std::uint64_t i = 0; i < 8; i++)
        trigger(*queue, i);
    current_thread().event_queues.leave();  // as if it ended
    step.arrive_and_wait();
}

// A plain one, too.
TEST_F(ScheduledKqueue, RealtimeEventsComeFirstWithinTheirShare) {
    for (const bool scheduled : {false, true}) {
        Ref<Kqueue> queue = *Kqueue::create(KqueueView::Kqueue);
        EXPECT_EQ(!scheduled || queue->schedule(make(kBest, 1)), true);
        add(queue);
        std::vector<Ends> pipes;
        for (int i = 0; i < 8; i++) {
            pipes.push_back(pipe());
            write(*file(pipes.back().write));
            ASSERT_TRUE(watch(*queue, pipes.back().read, i >= 4 ? kEventRealtime : 0));
        }
        for (std::uint32_t share = 1; share <= 100; share++) {
            ASSERT_TRUE(queue->tune(2 | share << 16));
            const std::vector<Kevent> events = wait(*queue, 4);
            ASSERT_EQ(events.size(), 4u);
            const std::size_t urgent = (4 * share + 99) / 100;
            for (std::size_t i = 0; i < 4; i++)
                EXPECT_EQ((events[i].flags & kEventRealtime) != 0, i < urgent) << share;
        }
        // The share is no limit where nothing else waits.
        ASSERT_TRUE(queue->tune(2 | 1 << 16));
        for (int i = 0; i < 4; i++)
            read(*file(pipes[static_cast<std::size_t>(i)].read));
        EXPECT_EQ(wait(*queue, 4).size(), 4u);
        EXPECT_EQ(queue->tune(2).error(), Errno::Inval);
        EXPECT_EQ(queue->tune(2 | 101 << 16).error(), Errno::Inval);
        EXPECT_EQ(queue->tune(9 | 1 << 16).error(), Errno::Inval);
        EXPECT_EQ(queue->tune(1 | 100 << 16).error(), Errno::OpNotSupp);
    }
}

// The other thread never comes back: all but what it has in hand goes to the one that does.
TEST_F(ScheduledKqueue, StealsFromAThreadThatIsBusy) {
    Ref<Kqueue> queue = create(make(0, 0, 1));
    std::barrier step(2);
    Ends in_hand = pipe();
    ASSERT_TRUE(watch(*queue, in_hand.read));
    write(*file(in_hand.write));
    Worker busy([&] {
        EXPECT_EQ(wait(*queue).size(), 1u);
        step.arrive_and_wait();
        step.arrive_and_wait();
    });
    step.arrive_and_wait();
    EXPECT_TRUE(wait(*queue).empty());  // what the other works on is not to be had
    constexpr std::uint64_t kEvents = 200;
    for (std::uint64_t i = 0; i < kEvents; i++) {
        ASSERT_TRUE(user(*queue, i, kEventAdd | kEventOneshot));
        trigger(*queue, i);
    }
    std::size_t got = 0;
    while (got < kEvents) {
        const std::size_t n = wait(*queue, 3, kPatience).size();
        ASSERT_GT(n, 0u);
        got += n;
    }
    EXPECT_TRUE(wait(*queue).empty());
    step.arrive_and_wait();
}

// A thread sleeps when the events come to the busy one's queue.
TEST_F(ScheduledKqueue, ASleeperWakesToSteal) {
    Ref<Kqueue> queue = create(make(0, 0, 2));
    EXPECT_TRUE(wait(*queue).empty());  // this thread has a queue and does not come back
    constexpr std::uint64_t kEvents = 300;
    std::atomic<std::uint64_t> got{0};
    Worker sleeper([&] {
        while (got < kEvents) {
            const std::size_t n = wait(*queue, 4, kPatience).size();
            ASSERT_GT(n, 0u);
            got += n;
        }
    });
    for (std::uint64_t i = 0; i < kEvents; i++) {
        ASSERT_TRUE(user(*queue, i, kEventAdd | kEventOneshot));
        trigger(*queue, i);
        if (i % 16 == 0)
            while (got < i)
                std::this_thread::yield();
    }
}

TEST_F(ScheduledKqueue, CloseWakesThoseWhoWait) {
    Ref<Kqueue> queue = create(make(kBest, 2, 1));
    ASSERT_TRUE(user(*queue, 1, kEventAdd));
    std::atomic<int> closed{0};
    {
        std::vector<std::unique_ptr<Worker>> workers;
        for (int t = 0; t < 4; t++)
            workers.push_back(std::make_unique<Worker>([&] {
                Kevent event;
                const auto found = queue->wait({&event, 1}, kForever);
                closed += !found && found.error() == Errno::BadF;
            }));
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        ASSERT_TRUE(table_->close(descriptor_));
    }
    EXPECT_EQ(closed, 4);
    Kevent event;
    EXPECT_EQ(queue->wait({&event, 1}, 0).error(), Errno::BadF);
}

TEST_F(ScheduledKqueue, CloseUnderLoad) {
    for (std::uint32_t round = 0; round < 20; round++) {
        const Ref<Kqueue> queue = create(make(round % 3 == 0 ? kBest : round % 3, 2, round % 2));
        for (std::uint64_t i = 0; i < 8; i++)
            ASSERT_TRUE(user(*queue, i, kEventAdd | (i % 2 ? kEventClear : 0)));
        std::atomic<int> closed{0};
        std::atomic<bool> stop{false};
        {
            std::vector<std::unique_ptr<Worker>> workers;
            for (int t = 0; t < 3; t++)
                workers.push_back(std::make_unique<Worker>([&] {
                    Kevent events[4];
                    for (;;)
                        if (const auto found = queue->wait(events, kForever); !found) {
                            EXPECT_EQ(found.error(), Errno::BadF);
                            closed++;
                            return;
                        }
                }));
            Worker triggers([&] {
                for (std::uint64_t i = 0; !stop; i++)
                    if (!user(*queue, i % 8, 0, kNoteUserTrigger))
                        std::this_thread::yield();  // it is closed
            });
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
            ASSERT_TRUE(table_->close(descriptor_));
            while (closed < 3)
                std::this_thread::yield();
            stop = true;
        }
        EXPECT_EQ(user(*queue, 1, kEventAdd).error(), Errno::BadF);
    }
}

// The set of queues grows and shrinks, and queues find their next thread.
TEST_F(ScheduledKqueue, ManyThreadsComeAndGo) {
    Ref<Kqueue> queue = *Kqueue::create(KqueueView::Kqueue);
    ASSERT_TRUE(queue->schedule(0));
    for (int t = 0; t < 40; t++)  // more threads than the first pieces have room for
        Worker([&] { EXPECT_TRUE(wait(*queue).empty()); });
    std::vector<std::unique_ptr<Worker>> workers;
    std::barrier step(41);
    for (int t = 0; t < 40; t++)
        workers.push_back(std::make_unique<Worker>([&] {
            EXPECT_TRUE(wait(*queue).empty());
            step.arrive_and_wait();
        }));
    step.arrive_and_wait();
}

// Every policy: threads collect, end and are replaced; others write, delete, register and change
// the share. Each byte is read exactly once; nothing is lost.
class Brutal : public ScheduledKqueue, public ::testing::WithParamInterface<std::uint32_t> {};

TEST_P(Brutal, EachByteIsReadOnce) {
    constexpr std::size_t kPipes = 24, kThreads = 4;
    constexpr std::uint64_t kBytes = 1500;
    Ref<Kqueue> queue = create(GetParam());
    std::vector<Ends> pipes;
    std::map<std::uint64_t, std::size_t> pipe_of;
    std::vector<std::atomic<int>> in_hand(kPipes);
    for (std::size_t i = 0; i < kPipes; i++) {
        pipes.push_back(pipe());
        pipe_of[pipes[i].read] = i;
        ASSERT_TRUE(watch(*queue, pipes[i].read, i % 2 ? kEventRealtime : 0));
    }
    std::atomic<std::uint64_t> got{0};
    std::atomic<bool> stop{false};
    std::atomic<std::uint32_t> seed{1};
    const auto collect = [&](std::uint32_t lives) {
        Random random(seed++);
        while (lives-- && !stop) {
            const std::vector<Kevent> events = wait(*queue, 1 + random.below(3), 2'000'000);
            if (events.empty())
                continue;
            if (random.below(8) == 0)
                return;  // without having done what it was given
            for (const Kevent& event : events) {
                const std::size_t i = pipe_of.at(event.ident);
                EXPECT_EQ(in_hand[i]++, 0) << "two threads have it";
                read(*file(pipes[i].read));
                got++;
                in_hand[i]--;
            }
        }
    };
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < kThreads; t++)
        threads.emplace_back([&] {
            while (!stop) {
                Worker one([&] { collect(50); });
            }
        });
    threads.emplace_back([&] {
        Random random(99);
        for (std::uint32_t i = 0; !stop; i++) {
            (void)user(*queue, 7, kEventAdd | kEventDisable | (i % 3 ? 0 : kEventRealtime));
            (void)user(*queue, 7, 0, kNoteUserTrigger);
            EXPECT_TRUE(user(*queue, 7, kEventDelete));
            EXPECT_TRUE(queue->tune(2 | (1 + random.below(100)) << 16));
            std::this_thread::yield();
        }
    });
    Random random(5);
    std::uint64_t written = 0;
    for (; written < kBytes; written++) {
        write(*file(pipes[random.below(kPipes)].write));
        if (random.below(50) == 0)
            std::this_thread::yield();
    }
    const Nanoseconds end = monotonic_now() + kPatience;
    while (got < kBytes && monotonic_now() < end)
        std::this_thread::yield();
    stop = true;
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(got, kBytes);
    EXPECT_TRUE(wait(*queue).empty());
}

INSTANTIATE_TEST_SUITE_P(Policies, Brutal,
                         ::testing::Values(make(0), make(kQueue), make(kQueue, 2), make(kCpu),
                                           make(kCpu, 2), make(kBest, 2), make(0, 0, 1),
                                           make(kQueue, 0, 2), make(kCpu, 2, 3),
                                           make(kBest, 2, 1)));

// By edge: as many deliveries as activations, or fewer, but the last one always shows.
TEST_F(ScheduledKqueue, EdgesUnderLoad) {
    Ref<Kqueue> queue = create(make(kBest, 2, 2));
    constexpr std::uint64_t kIdents = 8, kTimes = 3000;
    std::vector<std::atomic<std::uint64_t>> triggered(kIdents), delivered(kIdents);
    std::atomic<bool> stop{false};
    for (std::uint64_t i = 0; i < kIdents; i++)
        ASSERT_TRUE(user(*queue, i, kEventAdd | (i % 2 ? kEventClear : kEventDispatch)));
    {
        std::vector<std::unique_ptr<Worker>> workers;
        for (int t = 0; t < 3; t++)
            workers.push_back(std::make_unique<Worker>([&] {
                while (!stop)
                    for (const Kevent& event : wait(*queue, 4, 2'000'000))
                        delivered[event.ident]++;
            }));
        for (std::uint64_t n = 0; n < kTimes; n++)
            for (std::uint64_t i = 0; i < kIdents; i++) {
                if (i % 2) {
                    triggered[i]++;
                    trigger(*queue, i);
                } else if (triggered[i] == delivered[i]) {  // disabled until it is enabled again
                    triggered[i]++;
                    ASSERT_TRUE(user(*queue, i, kEventEnable, kNoteUserTrigger));
                }
            }
        const Nanoseconds end = monotonic_now() + kPatience;
        for (std::uint64_t i = 0; i < kIdents; i += 2)
            while (delivered[i] < triggered[i] && monotonic_now() < end)
                std::this_thread::yield();
        stop = true;
    }
    for (std::uint64_t i = 0; i < kIdents; i++) {
        EXPECT_LE(delivered[i], triggered[i]);
        EXPECT_GT(delivered[i], 0u);
        EXPECT_TRUE(i % 2 || delivered[i] == triggered[i]);
    }
}

}  // namespace
}  // namespace skep::kernel
