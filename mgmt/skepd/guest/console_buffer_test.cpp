#include "mgmt/skepd/guest/console_buffer.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace skep::mgmt {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(ConsoleBuffer, EachReaderHasItsPlace) {
    ConsoleBuffer buffer;
    buffer.append("hello ");
    std::uint64_t first = 0, second = 0;
    EXPECT_EQ(buffer.read(first, milliseconds(0)).bytes, "hello ");
    buffer.append("world");
    EXPECT_EQ(buffer.read(first, milliseconds(0)).bytes, "world");
    EXPECT_EQ(buffer.read(second, milliseconds(0)).bytes, "hello world");
    EXPECT_EQ(buffer.read(second, milliseconds(0)).bytes, "");
}

TEST(ConsoleBuffer, TellsWhatWasLost) {
    ConsoleBuffer buffer(4);
    std::uint64_t place = 0;
    buffer.append("0123456789");
    auto piece = buffer.read(place, milliseconds(0));
    EXPECT_EQ(piece.bytes, "6789");
    EXPECT_EQ(piece.lost, 6u);
    for (char c = 'a'; c <= 'z'; ++c)
        buffer.append({&c, 1});
    piece = buffer.read(place, milliseconds(0));
    EXPECT_EQ(piece.bytes, "wxyz");
    EXPECT_EQ(piece.lost, 22u);
    EXPECT_EQ(buffer.end(), 36u);
}

TEST(ConsoleBuffer, ClosedOnlyWhenAllIsRead) {
    ConsoleBuffer buffer;
    buffer.append(std::string(100'000, 'x'));
    buffer.close();
    std::uint64_t place = 0;
    auto piece = buffer.read(place, seconds(10));
    EXPECT_EQ(piece.bytes.size(), 65536u);
    EXPECT_FALSE(piece.closed);
    piece = buffer.read(place, seconds(10));
    EXPECT_EQ(piece.bytes.size(), 100'000u - 65536u);
    EXPECT_TRUE(piece.closed);
    piece = buffer.read(place, seconds(10));
    EXPECT_TRUE(piece.closed);
}

TEST(ConsoleBuffer, WaitingReadersAreWoken) {
    ConsoleBuffer buffer;
    std::uint64_t place = 0;
    auto start = std::chrono::steady_clock::now();
    std::jthread writer([&] {
        std::this_thread::sleep_for(milliseconds(20));
        buffer.append("x");
    });
    EXPECT_EQ(buffer.read(place, seconds(30)).bytes, "x");
    std::jthread waker([&] {
        std::this_thread::sleep_for(milliseconds(20));
        buffer.wake();
    });
    EXPECT_EQ(buffer.read(place, seconds(30)).bytes, "");
    EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(20));
}

}  // namespace
}  // namespace skep::mgmt
