#include <kernel/dev/tty/text_screen.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace skep::kernel {
namespace {

class TextScreenTest : public ::testing::Test {
  protected:
    void print(std::string_view text) {
        for (char c : text)
            screen_.put(static_cast<std::uint8_t>(c));
    }
    std::string row(std::size_t number) const {
        std::string text;
        for (std::size_t i = 0; i < TextScreen::kColumns; i++)
            text += static_cast<char>(cells_[number * TextScreen::kColumns + i] & 0xff);
        return text.substr(0, text.find_last_not_of(' ') + 1);
    }
    unsigned attribute(std::size_t row, std::size_t column) const {
        return cells_[row * TextScreen::kColumns + column] >> 8;
    }

    std::vector<TextScreen::Cell> cells_ =
        std::vector<TextScreen::Cell>(TextScreen::kColumns * TextScreen::kRows, 0);
    TextScreen screen_{TextScreen::Picture(cells_.data(), cells_.size())};
    void SetUp() override { screen_.clear(); }
};

TEST_F(TextScreenTest, PrintsLines) {
    print("one\r\ntwo\r\n");
    EXPECT_EQ(row(0), "one");
    EXPECT_EQ(row(1), "two");
    EXPECT_EQ(screen_.cursor(), 2 * TextScreen::kColumns);
    print("a\tb\b\bc");
    EXPECT_EQ(row(2), "a      cb");
}

TEST_F(TextScreenTest, WrapsAfterTheLastColumnAndScrolls) {
    print(std::string(80, 'x'));
    EXPECT_EQ(screen_.cursor(), 79u);
    print("y");
    EXPECT_EQ(row(1), "y");
    print("\x1b[25;1Hlast\r\nnew");
    EXPECT_EQ(row(23), "last");
    EXPECT_EQ(row(24), "new");
    EXPECT_EQ(row(0), "y");
}

TEST_F(TextScreenTest, MovesAndErases) {
    print("abcdef\x1b[3D\x1b[K");
    EXPECT_EQ(row(0), "abc");
    print("\x1b[10;20Hhere\x1b[A\x1b[2Cthere");
    EXPECT_EQ(row(9), std::string(19, ' ') + "here");
    EXPECT_EQ(row(8), std::string(25, ' ') + "there");
    print("\x1b[2J");
    EXPECT_EQ(row(9), "");
    print("\x1b[H\x1b[?25lx");  // private modes show nothing
    EXPECT_EQ(row(0), "x");
    print("\x1b[999;999Hz\x1b[999A\x1b[999Dw");
    EXPECT_EQ(row(24), std::string(79, ' ') + "z");
    EXPECT_EQ(row(0), "w");
}

TEST_F(TextScreenTest, Colours) {
    print("\x1b[1;31mr\x1b[44mb\x1b[0mp\x1b[7mi");
    EXPECT_EQ(attribute(0, 0), 0x0cu);
    EXPECT_EQ(attribute(0, 1), 0x1cu);
    EXPECT_EQ(attribute(0, 2), 0x07u);
    EXPECT_EQ(attribute(0, 3), 0x70u);
}

TEST_F(TextScreenTest, AnyBytesStayInside) {
    std::uint64_t state = 1;
    for (int i = 0; i < 200000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        const auto byte = static_cast<std::uint8_t>(state >> 56);
        screen_.put(i % 3 ? byte : "\x1b[;0123456789HJKm\n"[byte % 18]);
        ASSERT_LT(screen_.cursor(), cells_.size());
    }
}

TEST_F(TextScreenTest, Utf8ShowsOneMark) {
    print("\xc3\xa4\xe2\x82\xac.");
    EXPECT_EQ(row(0), "??.");
}

}  // namespace
}  // namespace skep::kernel
