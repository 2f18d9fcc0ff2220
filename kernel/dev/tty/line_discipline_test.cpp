#include <kernel/dev/tty/line_discipline.hpp>

#include <gtest/gtest.h>

#include <string>

namespace skep::kernel {
namespace {

struct Screen final : OutputSink {
    std::string text;
    void put(std::span<const std::uint8_t> bytes) override {
        text.append(bytes.begin(), bytes.end());
    }
};

class LineDisciplineTest : public ::testing::Test {
  protected:
    TtySignal type(std::string_view keys) {
        TtySignal last = TtySignal::None;
        for (char c : keys)
            if (TtySignal s = line_.input(static_cast<std::uint8_t>(c), screen_);
                s != TtySignal::None)
                last = s;
        return last;
    }
    std::string read(std::size_t size = 4096) {
        std::string text(size, '\0');
        bool end = false;
        text.resize(line_.read({reinterpret_cast<std::uint8_t*>(text.data()), size}, &end));
        return end ? "<EOF>" : text;
    }
    std::string print(std::string_view text) {
        Screen screen;
        line_.output({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}, screen);
        return screen.text;
    }
    void set(std::uint32_t Termios::*field, std::uint32_t off, std::uint32_t on = 0) {
        Termios settings = line_.settings();
        settings.*field = (settings.*field & ~off) | on;
        line_.set(settings);
    }
    LineDiscipline line_;
    Screen screen_;
};

TEST_F(LineDisciplineTest, LinesAreReadWhole) {
    type("hel");
    EXPECT_FALSE(line_.can_read());
    type("lo\rworld\r");
    EXPECT_EQ(line_.available(), 6u);
    EXPECT_EQ(read(), "hello\n");
    EXPECT_EQ(read(3), "wor");
    EXPECT_EQ(read(), "ld\n");
    EXPECT_EQ(screen_.text, "hello\r\nworld\r\n");
}

TEST_F(LineDisciplineTest, Editing) {
    type(
        "abx\x7f"
        "c d e\x17\r");
    EXPECT_EQ(read(), "abc d \n");
    type(
        "gone\x15"
        "kept\r");
    EXPECT_EQ(read(), "kept\n");
    type(
        "\xc3\xa4\x7f"
        "a\r");  // one erase for one UTF-8 character
    EXPECT_EQ(read(), "a\n");
    screen_.text.clear();
    type("\x7f");  // nothing to erase
    EXPECT_EQ(screen_.text, "");
    type("\x16\x03\x7f");  // a literal ^C is shown in two columns
    EXPECT_EQ(screen_.text, "^C\b \b\b \b");
}

TEST_F(LineDisciplineTest, EndOfFile) {
    type("\x04");
    EXPECT_TRUE(line_.can_read());
    EXPECT_EQ(read(), "<EOF>");
    type("part\x04");
    EXPECT_EQ(read(), "part");
    EXPECT_FALSE(line_.can_read());
    type("abc\x04");
    EXPECT_EQ(read(3), "abc");
    EXPECT_FALSE(line_.can_read());
}

TEST_F(LineDisciplineTest, Signals) {
    EXPECT_EQ(type("x\x03"), TtySignal::Interrupt);
    EXPECT_EQ(screen_.text, "x^C");
    type("\r");
    EXPECT_EQ(read(), "\n");  // the unfinished line was dropped
    EXPECT_EQ(type("\x1c"), TtySignal::Quit);
    EXPECT_EQ(type("\x1a"), TtySignal::Suspend);
    set(&Termios::local, kLocalSignals);
    EXPECT_EQ(type("\x03"), TtySignal::None);
}

TEST_F(LineDisciplineTest, RawInputIsReadAtOnce) {
    type("pending");
    set(&Termios::local, kLocalCanonical | kLocalEcho | kLocalSignals | kLocalExtended);
    set(&Termios::input, kInputCrToNl);
    EXPECT_EQ(read(), "pending");
    type("\x03\r\x04");
    EXPECT_EQ(read(), "\x03\r\x04");
}

TEST_F(LineDisciplineTest, StopAndStartOutput) {
    type("\x13");
    EXPECT_TRUE(line_.output_stopped());
    type("\x11");
    EXPECT_FALSE(line_.output_stopped());
}

TEST_F(LineDisciplineTest, OutputTranslation) {
    EXPECT_EQ(print("a\nb\n"), "a\r\nb\r\n");
    set(&Termios::output, 0, kOutputExpandTabs);
    EXPECT_EQ(print("ab\tc\td\n"), "ab      c       d\r\n");
    set(&Termios::output, kOutputProcess);
    EXPECT_EQ(print("a\n\t"), "a\n\t");
}

TEST_F(LineDisciplineTest, FullQueueDropsButTheLineCanStillEnd) {
    for (int i = 0; i < 10000; i++)
        type("x");
    EXPECT_NE(screen_.text.find('\a'), std::string::npos);
    type("\r");
    const std::string line = read(10000);
    EXPECT_EQ(line.size(), LineDiscipline::kInputCapacity);
    EXPECT_EQ(line.back(), '\n');
    EXPECT_FALSE(line_.can_read());
}

}  // namespace
}  // namespace skep::kernel
