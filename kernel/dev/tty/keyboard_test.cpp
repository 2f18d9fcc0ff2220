#include <kernel/dev/tty/keyboard.hpp>

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace skep::kernel {
namespace {

std::string type(Keyboard& keyboard, std::initializer_list<int> codes) {
    std::string text;
    for (int code : codes)
        text += keyboard.scan(static_cast<std::uint8_t>(code));
    return text;
}

TEST(Keyboard, LettersAndReleases) {
    Keyboard keyboard;
    EXPECT_EQ(type(keyboard, {0x1f, 0x9f, 0x25, 0xa5, 0x12, 0x92, 0x19, 0x99, 0x1c, 0x9c}),
              "skep\r");
    EXPECT_EQ(type(keyboard, {0x02, 0x0b, 0x39, 0x0e, 0x01}), "10 \x7f\x1b");
}

TEST(Keyboard, Modifiers) {
    Keyboard keyboard;
    EXPECT_EQ(type(keyboard, {0x2a, 0x1e, 0x02, 0xaa, 0x1e}), "A!a");
    EXPECT_EQ(type(keyboard, {0x36, 0x2c, 0xb6, 0x2c}), "Zz");
    EXPECT_EQ(type(keyboard, {0x3a, 0xba, 0x1e, 0x02, 0x2a, 0x1e, 0xaa, 0x3a, 0x1e}), "A1aa");
    EXPECT_EQ(type(keyboard, {0x1d, 0x2e, 0x2c, 0x9d, 0x2e}),
              "\x03\x1a"
              "c");
    EXPECT_EQ(type(keyboard, {0x38, 0x30, 0xb8, 0x30}),
              "\x1b"
              "bb");
    EXPECT_EQ(type(keyboard, {0x1d, 0x39}), std::string(1, '\0'));
}

TEST(Keyboard, CursorKeysAndTheRest) {
    Keyboard keyboard;
    EXPECT_EQ(type(keyboard, {0xe0, 0x48, 0xe0, 0xc8, 0xe0, 0x4b, 0xe0, 0x53}),
              "\x1b[A\x1b[D\x1b[3~");
    EXPECT_EQ(type(keyboard, {0xe0, 0x2a, 0xe0, 0x48, 0xe0, 0xaa, 0x1e}),
              "\x1b[Aa");                                                        // fake shifts
    EXPECT_EQ(type(keyboard, {0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5, 0x1e}), "a");  // Pause
    EXPECT_EQ(type(keyboard, {0xe0, 0x1c, 0xe0, 0x35, 0xe0, 0x5b, 0x3b}), "\r/");
}

TEST(Keyboard, AnyCode) {
    Keyboard keyboard;
    for (int first = 0; first < 256; first++)
        for (int second = 0; second < 256; second++)
            EXPECT_LE(type(keyboard, {first, second}).size(), 8u);
}

}  // namespace
}  // namespace skep::kernel
