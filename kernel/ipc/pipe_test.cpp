#include <kernel/ipc/pipe.hpp>

#include <kernel/testing/host.hpp>

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace skep::kernel {
namespace {

Result<std::size_t> write(File& file, std::string_view text) {
    const IoSegment segment{reinterpret_cast<UserAddr>(text.data()), text.size()};
    Uio uio = Uio::kernel({&segment, 1});
    return file.write(uio, nullptr);
}
Result<std::string> read(File& file, std::size_t size) {
    std::string text(size, '\0');
    const IoSegment segment{reinterpret_cast<UserAddr>(text.data()), size};
    Uio uio = Uio::kernel({&segment, 1});
    text.resize(SKEP_TRY(file.read(uio, nullptr)));
    return text;
}

TEST(Pipe, BytesComeInOrderAcrossTheRing) {
    PipePair pair = *create_pipe(0);
    std::thread writer([&] {
        for (int i = 0; i < 2000; i++)
            ASSERT_EQ(
                write(*pair.write_end, std::string(1 + i % 777, static_cast<char>('a' + i % 26)))
                    .value(),
                1u + i % 777);
        pair.write_end.reset();
    });
    std::string all;
    for (;;) {
        const std::string part = *read(*pair.read_end, 1000);
        if (part.empty())
            break;
        all += part;
    }
    writer.join();
    std::string expected;
    for (int i = 0; i < 2000; i++)
        expected += std::string(1 + i % 777, static_cast<char>('a' + i % 26));
    EXPECT_TRUE(all == expected);
}

TEST(Pipe, NonblockingLimits) {
    PipePair pair = *create_pipe(kOpenNonblock);
    EXPECT_EQ(read(*pair.read_end, 1).error(), Errno::Again);
    EXPECT_EQ(write(*pair.write_end, std::string(100000, 'x')).value(), kPipeCapacity);
    EXPECT_EQ(write(*pair.write_end, "y").error(), Errno::Again);
    EXPECT_EQ(pair.write_end->ready(kWritable), 0u);
    EXPECT_EQ(read(*pair.read_end, 100)->size(), 100u);
    EXPECT_EQ(write(*pair.write_end, std::string(kPipeAtomic, 'y')).error(),
              Errno::Again);  // whole or not at all
    EXPECT_EQ(write(*pair.write_end, std::string(kPipeAtomic + 1, 'y')).value(), 100u);
}

TEST(Pipe, ClosedEnds) {
    PipePair pair = *create_pipe(0);
    write(*pair.write_end, "last");
    pair.write_end.reset();
    EXPECT_EQ(pair.read_end->ready(kReadable), kReadable | kHangup);
    EXPECT_EQ(*read(*pair.read_end, 10), "last");
    EXPECT_EQ(*read(*pair.read_end, 10), "");
    EXPECT_EQ(pair.read_end->ready(kReadable), kHangup);
    PipePair other = *create_pipe(0);
    other.read_end.reset();
    EXPECT_EQ(write(*other.write_end, "x").error(), Errno::Pipe);
    EXPECT_TRUE(other.write_end->ready(kWritable) & kError);
}

TEST(Pipe, SignalEndsAWait) {
    PipePair pair = *create_pipe(0);
    kernel::testing::signal_pending_flag = true;
    EXPECT_EQ(read(*pair.read_end, 1).error(), Errno::Intr);
    kernel::testing::signal_pending_flag = false;
}

TEST(Pipe, FaultPartWayKeepsTheRest) {
    PipePair pair = *create_pipe(0);
    write(*pair.write_end, "abcdef");
    char good[3];
    const IoSegment segments[] = {{reinterpret_cast<UserAddr>(good), 3},
                                  {16, 3}};  // the second faults
    Uio uio = Uio::user(segments);
    EXPECT_EQ(pair.read_end->read(uio, nullptr).value(), 3u);
    EXPECT_EQ(*read(*pair.read_end, 10), "def");
}

}  // namespace
}  // namespace skep::kernel
