#include <kernel/mm/user.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <string>

namespace skep::kernel {
namespace {

UserAddr address(void* p) {
    return reinterpret_cast<UserAddr>(p);
}

TEST(Uio, CrossesSegmentsAndSkipsEmptyOnes) {
    char a[3], b[4];
    const std::array<IoSegment, 4> segments = {{{0, 0}, {address(a), 3}, {0, 0}, {address(b), 4}}};
    Uio uio = Uio::user(segments);
    EXPECT_EQ(uio.remaining(), 7u);
    EXPECT_EQ(uio.put("hello", 5), 5u);
    EXPECT_EQ(uio.put("world", 5), 2u);
    EXPECT_EQ(uio.put("x", 1), 0u);
    EXPECT_EQ(std::string(a, 3) + std::string(b, 4), "hellowo");

    Uio back = Uio::user(segments);
    char all[16];
    EXPECT_EQ(back.take(all, sizeof all), 7u);
    EXPECT_EQ(std::string(all, 7), "hellowo");
}

TEST(Uio, FaultIsAnErrorOnlyIfNothingMoved) {
    char a[3] = {'a', 'b', 'c'};
    const std::array<IoSegment, 2> segments = {{{address(a), 3}, {8, 5}}};
    Uio uio = Uio::user(segments);
    char all[8];
    EXPECT_EQ(uio.take(all, sizeof all), 3u);
    EXPECT_EQ(uio.remaining(), 5u);
    EXPECT_EQ(uio.take(all, sizeof all), std::unexpected(Errno::Fault));
}

}  // namespace
}  // namespace skep::kernel
