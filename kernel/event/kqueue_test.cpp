#include <kernel/event/kqueue.hpp>

#include <kernel/event/eventfd.hpp>
#include <kernel/event/kevent_call.hpp>
#include <kernel/event/poll.hpp>
#include <kernel/event/timerfd.hpp>
#include <kernel/ipc/pipe.hpp>
#include <kernel/testing/current.hpp>
#include <kernel/testing/host.hpp>
#include <kernel/vfs/descriptor_table.hpp>
#include <kernel/vfs/operations.hpp>
#include <kernel/vfs/tmpfs/tmpfs.hpp>

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace skep::kernel {
namespace {

class KqueueTest : public ::testing::Test {
  protected:
    KqueueTest() {
        queue_ = *Kqueue::create(KqueueView::Kqueue);
        table_ = *make_ref<DescriptorTable>();
        add(queue_);
    }
    ~KqueueTest() override { table_->close_all(); }
    std::uint32_t add(Ref<File> file) { return *table_->add(std::move(file), false, 100); }
    Ref<File> file(std::uint32_t fd) { return *table_->get(fd); }
    Result<> change(Kqueue& queue, std::uint64_t ident, std::int16_t filter, std::uint16_t flags,
                    std::uint32_t fflags = 0, std::int64_t data = 0) {
        Ref<File> of;
        if (filter == kFilterRead || filter == kFilterWrite || filter == kFilterVnode)
            of = file(static_cast<std::uint32_t>(ident));
        return queue.apply({.ident = ident,
                            .filter = filter,
                            .flags = flags,
                            .fflags = fflags,
                            .data = data,
                            .udata = ident + 1000},
                           of, table_.get());
    }
    Result<> change(std::uint64_t ident, std::int16_t filter, std::uint16_t flags,
                    std::uint32_t fflags = 0, std::int64_t data = 0) {
        return change(*queue_, ident, filter, flags, fflags, data);
    }
    std::vector<Kevent> wait(std::size_t most = 16, Nanoseconds within = 0) {
        return wait(*queue_, most, within);
    }
    static std::vector<Kevent> wait(Kqueue& queue, std::size_t most = 16, Nanoseconds within = 0) {
        std::vector<Kevent> events(most);
        auto found = queue.wait(events, within ? monotonic_now() + within : 0);
        EXPECT_TRUE(found);
        events.resize(found.value_or(0));
        return events;
    }
    static void write(File& file, std::string_view text) {
        const IoSegment segment{reinterpret_cast<UserAddr>(text.data()), text.size()};
        Uio uio = Uio::kernel({&segment, 1});
        EXPECT_TRUE(file.write(uio, nullptr));
    }
    static void read(File& file, std::size_t size) {
        std::string text(size, '\0');
        const IoSegment segment{reinterpret_cast<UserAddr>(text.data()), size};
        Uio uio = Uio::kernel({&segment, 1});
        EXPECT_TRUE(file.read(uio, nullptr));
    }
    struct Ends {
        std::uint32_t read, write;
    };
    Ends pipe() {
        PipePair pair = *create_pipe(0);
        return {add(pair.read_end), add(pair.write_end)};
    }
    Ref<Kqueue> queue_;
    Ref<DescriptorTable> table_;
};

TEST_F(KqueueTest, LevelTriggeredStaysUntilRead) {
    Ends p = pipe();
    ASSERT_TRUE(change(p.read, kFilterRead, kEventAdd));
    EXPECT_TRUE(wait().empty());
    write(*file(p.write), "abc");
    for (int i = 0; i < 3; i++) {
        auto events = wait();
        ASSERT_EQ(events.size(), 1u);
        EXPECT_EQ(events[0].data, 3);
        EXPECT_EQ(events[0].udata, p.read + 1000);
    }
    read(*file(p.read), 3);
    EXPECT_TRUE(wait().empty());
}

TEST_F(KqueueTest, ClearReportsEachChangeOnce) {
    Ends p = pipe();
    write(*file(p.write), "before");
    ASSERT_TRUE(change(p.read, kFilterRead, kEventAdd | kEventClear));
    EXPECT_EQ(wait().size(), 1u);
    EXPECT_TRUE(wait().empty());
    write(*file(p.write), "more");
    EXPECT_EQ(wait().size(), 1u);
    EXPECT_TRUE(wait().empty());
}

TEST_F(KqueueTest, OneshotAndDispatch) {
    Ends p = pipe();
    write(*file(p.write), "x");
    ASSERT_TRUE(change(p.read, kFilterRead, kEventAdd | kEventOneshot));
    EXPECT_EQ(wait().size(), 1u);
    EXPECT_EQ(change(p.read, kFilterRead, kEventDelete).error(), Errno::NoEnt);
    ASSERT_TRUE(change(p.read, kFilterRead, kEventAdd | kEventDispatch));
    EXPECT_EQ(wait().size(), 1u);
    EXPECT_TRUE(wait().empty());
    ASSERT_TRUE(change(p.read, kFilterRead, kEventEnable));
    EXPECT_EQ(wait().size(), 1u);
}

TEST_F(KqueueTest, EndOfFile) {
    Ends p = pipe();
    ASSERT_TRUE(change(p.read, kFilterRead, kEventAdd));
    ASSERT_TRUE(table_->close(p.write));
    auto events = wait();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_TRUE(events[0].flags & kEventEof);
}

TEST_F(KqueueTest, ClosingTheDescriptorRemovesTheFilterEvenIfTheFileStaysOpen) {
    Ends p = pipe();
    write(*file(p.write), "x");
    const std::uint32_t other = add(file(p.read));
    ASSERT_TRUE(change(p.read, kFilterRead, kEventAdd));
    ASSERT_TRUE(table_->close(p.read));
    EXPECT_TRUE(wait().empty());
    // For epoll the open file counts.
    Ref<Kqueue> epoll = *Kqueue::create(KqueueView::Epoll);
    add(epoll);
    const std::uint32_t third = add(file(other));
    ASSERT_TRUE(epoll->epoll_add(third, file(third), kReadable, 0, 7));
    EXPECT_EQ(epoll->epoll_add(third, file(third), kReadable, 0, 7).error(), Errno::Exist);
    ASSERT_TRUE(table_->close(third));
    EXPECT_EQ(wait(*epoll).size(), 1u);
    ASSERT_TRUE(table_->close(other));
    EXPECT_TRUE(wait(*epoll).empty());
}

TEST_F(KqueueTest, UserEvents) {
    ASSERT_TRUE(change(5, kFilterUser, kEventAdd | kEventClear, 3));
    EXPECT_TRUE(wait().empty());
    ASSERT_TRUE(change(5, kFilterUser, 0, kNoteUserOr | kNoteUserTrigger | 4));
    auto events = wait();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].fflags & kNoteUserFlags, 7u);
    EXPECT_TRUE(wait().empty());
}

TEST_F(KqueueTest, Timers) {
    ASSERT_TRUE(change(1, kFilterTimer, kEventAdd, kNoteMilliseconds, 10));
    ASSERT_TRUE(change(2, kFilterTimer, kEventAdd | kEventOneshot, kNoteSeconds, 1));
    EXPECT_TRUE(wait().empty());
    kernel::testing::advance_clock(55'000'000);
    auto events = wait();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].data, 5);
    kernel::testing::advance_clock(1'000'000'000);
    EXPECT_EQ(wait().size(), 2u);
    kernel::testing::advance_clock(1'000'000'000);
    EXPECT_EQ(wait().size(), 1u);
    EXPECT_EQ(change(3, kFilterTimer, kEventAdd, 0, -1).error(), Errno::Inval);
}

TEST_F(KqueueTest, VnodeNotes) {
    Ref<Tmpfs> tmpfs = *Tmpfs::create();
    Ref<FsContext> fs = *make_ref<FsContext>(tmpfs->root(), tmpfs->root());
    const Actor actor{*fs, {}};
    const Ref<Vnode> root = tmpfs->root();
    Ref<File> opened =
        *open_file(actor, {root, "f"}, {.flags = kOpenRead | kOpenWrite, .create = true});
    const std::uint32_t fd = add(opened);
    constexpr std::uint32_t kDelete = 1, kWrite = 2, kExtend = 4;
    ASSERT_TRUE(change(fd, kFilterVnode, kEventAdd | kEventClear, kDelete | kWrite | kExtend));
    EXPECT_TRUE(wait().empty());
    write(*opened, "x");
    auto events = wait();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].fflags, kWrite | kExtend);
    ASSERT_TRUE(remove_name(actor, {root, "f"}));
    events = wait();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].fflags, kDelete);
    table_->close_all();
    opened.reset();
    fs.reset();
    tmpfs->on_unmount();
}

TEST_F(KqueueTest, ProcessesAndSignals) {
    kernel::testing::TestProcess& process = *kernel::testing::test_process;
    ASSERT_TRUE(change(100, kFilterProcess, kEventAdd, kProcessExit | kProcessFork));
    EXPECT_EQ(change(4711, kFilterProcess, kEventAdd, kProcessExit).error(), Errno::Srch);
    ASSERT_TRUE(change(15, kFilterSignal, kEventAdd));
    EXPECT_EQ(change(99, kFilterSignal, kEventAdd).error(), Errno::Inval);
    EXPECT_TRUE(wait().empty());
    process.life.notify(kProcessExec);
    process.life.notify(kProcessFork);
    process.signals.notify(signal_event(15));
    process.signals.notify(signal_event(15));
    process.signals.notify(signal_event(14));
    auto events = wait();
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(events[0].fflags, kProcessFork);
    EXPECT_EQ(events[1].data, 2);
    process.life.notify(kProcessExit);
    events = wait();
    ASSERT_EQ(events.size(), 1u);
    EXPECT_EQ(events[0].data, 7 << 8);
    EXPECT_TRUE(events[0].flags & kEventEof);
    EXPECT_EQ(change(100, kFilterProcess, kEventDelete).error(),
              Errno::NoEnt);  // gone with the process
}

// kevent(2) itself: errors of changes come as events while there is room.
TEST_F(KqueueTest, KeventCall) {
    struct Lists final : KeventLists {
        std::vector<Kevent> changes, events;
        Result<Kevent> change(std::size_t i) override { return changes[i]; }
        Result<> event(std::size_t i, const Kevent& e) override {
            events.resize(i + 1);
            events[i] = e;
            return {};
        }
    } lists;
    Ends p = pipe();
    lists.changes = {{.ident = p.read, .filter = kFilterRead, .flags = kEventAdd | kEventReceipt},
                     {.ident = 55, .filter = kFilterRead, .flags = kEventAdd},
                     {.ident = p.read, .filter = kFilterWrite, .flags = kEventDelete},
                     {.ident = p.write, .filter = kFilterWrite, .flags = kEventAdd}};
    EXPECT_EQ(kevent(*queue_, *table_, lists, 4, 8, 0).value(), 3u);
    EXPECT_EQ(lists.events[0].data, 0);
    EXPECT_TRUE(lists.events[0].flags & kEventError);
    EXPECT_EQ(lists.events[1].data, static_cast<int>(Errno::BadF));
    EXPECT_EQ(lists.events[2].data, static_cast<int>(Errno::NoEnt));
    EXPECT_EQ(kevent(*queue_, *table_, lists, 4, 1, 0).error(),
              Errno::BadF);  // no room for the second
    EXPECT_EQ(kevent(*queue_, *table_, lists, 0, 8, 0).value(), 1u);
    EXPECT_EQ(lists.events[0].filter, kFilterWrite);
}

TEST_F(KqueueTest, WaitersAreWoken) {
    Ends p = pipe();
    ASSERT_TRUE(change(p.read, kFilterRead, kEventAdd));
    std::thread waker([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        write(*file(p.write), "x");
    });
    EXPECT_EQ(wait(16, 10'000'000'000).size(), 1u);
    waker.join();
    read(*file(p.read), 1);
    EXPECT_TRUE(wait(16, 5'000'000).empty());  // times out
}

TEST_F(KqueueTest, NestedEpollAndLoops) {
    Ref<Kqueue> inner = *Kqueue::create(KqueueView::Epoll),
                outer = *Kqueue::create(KqueueView::Epoll);
    const std::uint32_t in = add(inner), out = add(outer);
    Ends p = pipe();
    ASSERT_TRUE(inner->epoll_add(p.read, file(p.read), kReadable, 0, 1));
    ASSERT_TRUE(outer->epoll_add(in, inner, kReadable, 0, 2));
    EXPECT_EQ(inner->epoll_add(out, outer, kReadable, 0, 3).error(), Errno::Loop);
    EXPECT_EQ(inner->epoll_add(in, inner, kReadable, 0, 3).error(), Errno::Inval);
    EXPECT_TRUE(wait(*outer).empty());
    write(*file(p.write), "x");
    EXPECT_EQ(wait(*outer).size(), 1u);
    EXPECT_EQ(wait(*inner).size(), 1u);
}

// Threads wait while others add, trigger, delete and close: nothing may be lost for ever or touched
// after its end.
TEST_F(KqueueTest, Brutal) {
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> seen{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; t++)
        threads.emplace_back([&] {
            while (!stop)
                seen += wait(4, 1'000'000).size();
        });
    for (int t = 0; t < 2; t++)
        threads.emplace_back([&, t] {
            std::uint32_t random = static_cast<std::uint32_t>(t) + 1;
            while (!stop) {
                Ends p = pipe();
                random = random * 1664525 + 1013904223;
                const std::uint16_t kind[] = {0, kEventClear, kEventOneshot, kEventDispatch};
                ASSERT_TRUE(change(p.read, kFilterRead,
                                   static_cast<std::uint16_t>(kEventAdd | kind[random >> 20 & 3])));
                write(*file(p.write), "x");
                if (random >> 8 & 1)
                    (void)change(p.read, kFilterRead, kEventDelete);
                if (random >> 9 & 1)
                    std::this_thread::yield();
                ASSERT_TRUE(table_->close(p.read));
                ASSERT_TRUE(table_->close(p.write));
            }
        });
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    stop = true;
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_GT(seen.load(), 0u);
    EXPECT_TRUE(wait().empty());
}

TEST(EventFd, CountsAndPolls) {
    Ref<File> file = *make_ref<EventFd>(0, false, kOpenNonblock);
    std::uint64_t value = 3;
    const IoSegment segment{reinterpret_cast<UserAddr>(&value), sizeof value};
    auto transfer = [&](bool out) {
        Uio uio = Uio::kernel({&segment, 1});
        return out ? file->write(uio, nullptr) : file->read(uio, nullptr);
    };
    EXPECT_EQ(transfer(false).error(), Errno::Again);
    EXPECT_TRUE(transfer(true));
    EXPECT_TRUE(transfer(true));
    EXPECT_EQ(file->ready(kReadable | kWritable), kReadable | kWritable);
    EXPECT_TRUE(transfer(false));
    EXPECT_EQ(value, 6u);
    value = ~0ull - 1;
    EXPECT_TRUE(transfer(true));
    EXPECT_EQ(file->ready(kWritable), 0u);
    value = 1;
    EXPECT_EQ(transfer(true).error(), Errno::Again);
    value = ~0ull;
    EXPECT_EQ(transfer(true).error(), Errno::Inval);
}

TEST(TimerFd, FiresAndRepeats) {
    Ref<TimerFd> timer = *make_ref<TimerFd>(false, kOpenNonblock);
    timer->set({.first = 1'000'000, .period = 1'000'000}, false, nullptr);
    kernel::testing::advance_clock(5'500'000);
    EXPECT_EQ(timer->ready(kReadable), kReadable);
    std::uint64_t value = 0;
    const IoSegment segment{reinterpret_cast<UserAddr>(&value), sizeof value};
    Uio uio = Uio::kernel({&segment, 1});
    EXPECT_TRUE(timer->read(uio, nullptr));
    EXPECT_EQ(value, 5u);
    TimerFd::Setting old;
    timer->set({}, false, &old);
    EXPECT_EQ(old.period, 1'000'000);
    kernel::testing::advance_clock(5'000'000);
    EXPECT_EQ(timer->ready(kReadable), 0u);
}

TEST(Poll, WaitsForTheFirst) {
    PipePair one = *create_pipe(0), two = *create_pipe(0);
    std::array<PollItem, 3> items;
    items[0] = {one.read_end, kReadable, 0};
    items[1] = {two.read_end, kReadable, 0};
    EXPECT_EQ(poll_files(items, 0).value(), 0u);
    EXPECT_EQ(poll_files(items, monotonic_now() + 2'000'000).value(), 0u);
    std::thread writer([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        two.write_end.reset();
    });
    EXPECT_EQ(poll_files(items, kForever).value(), 1u);
    EXPECT_EQ(items[1].result, kHangup);
    writer.join();
}

}  // namespace
}  // namespace skep::kernel
