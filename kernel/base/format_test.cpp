#include <kernel/base/format.hpp>

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace skep::kernel {
namespace {

TEST(Format, NumbersOfEveryKind) {
    std::array<char, 128> b;
    EXPECT_EQ(format_to(b, "{} {} {:x}", 7u, -7, 255), "7 -7 ff");
    EXPECT_EQ(format_to(b, "{}", std::numeric_limits<std::int64_t>::min()), "-9223372036854775808");
    EXPECT_EQ(format_to(b, "{}", std::numeric_limits<std::uint64_t>::max()),
              "18446744073709551615");
    EXPECT_EQ(format_to(b, "{} {}", true, std::string_view("x")), "true x");
    EXPECT_EQ(format_to(b, "{}", static_cast<const char*>(nullptr)), "(null)");
}

TEST(Format, MissingAndSuperfluousArguments) {
    std::array<char, 128> b;
    EXPECT_EQ(format_to(b, "{} {}", 1), "1 {?}");
    EXPECT_EQ(format_to(b, "x", 1), "x");
    EXPECT_EQ(format_to(b, "{y} {", 1), "{y} {");
}

TEST(Format, CutsWhatDoesNotFit) {
    std::array<char, 4> b;
    EXPECT_EQ(format_to(b, "abc{}", 12345), "abc1");
}

}  // namespace
}  // namespace skep::kernel
