#include "mgmt/skepd/guest/frame.hpp"

#include <gtest/gtest.h>

namespace skep::mgmt {
namespace {

TEST(Frame, LengthIsLittleEndian) {
    auto frame = make_frame(std::string(0x0102, 'x'));
    ASSERT_TRUE(frame);
    EXPECT_EQ(frame->substr(0, 5), std::string("\x02\x01\x00\x00x", 5));
}

TEST(Frame, ReadsWhatComesInPieces) {
    auto bytes = *make_frame("first") + *make_frame("") + *make_frame("third");
    FrameReader reader;
    std::vector<std::string> messages;
    for (char byte : bytes) {
        reader.feed({&byte, 1});
        for (;;) {
            auto message = reader.next();
            ASSERT_TRUE(message);
            if (!*message)
                break;
            messages.push_back(**message);
        }
    }
    EXPECT_EQ(messages, (std::vector<std::string>{"first", "", "third"}));
}

TEST(Frame, RefusesTooLarge) {
    EXPECT_TRUE(make_frame(std::string(kMaxFrame, 'x')));
    EXPECT_FALSE(make_frame(std::string(kMaxFrame + 1, 'x')));
    FrameReader reader;
    reader.feed(std::string("\x01\x00\x10\x00", 4));  // 1 MiB + 1
    auto message = reader.next();
    ASSERT_FALSE(message);
    EXPECT_EQ(message.error().code, Code::OutOfRange);
}

}  // namespace
}  // namespace skep::mgmt
