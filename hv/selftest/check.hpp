// The smallest test framework: TEST(name) { CHECK(...); }. A failed check is printed and counted,
// and the test goes on.
#pragma once

#include "hv/lib/log.hpp"

namespace skep::hv::selftest {

template <class... Arguments>
void print(std::string_view pattern, const Arguments&... arguments) {
    SerialSink sink;
    format(sink, pattern, arguments...);
    sink.put('\n');
}

struct Test {
    const char* name;
    void (*run)();
    Test* next = nullptr;

    Test(const char* test_name, void (*body)());
};

void fail_check(const char* file, int line, const char* what, u64 left, u64 right);

}  // namespace skep::hv::selftest

#define TEST(test_name)                                                                \
    static void test_##test_name();                                                    \
    static ::skep::hv::selftest::Test entry_##test_name(#test_name, test_##test_name); \
    static void test_##test_name()

#define CHECK(condition)                                                            \
    do {                                                                            \
        if (!(condition))                                                           \
            ::skep::hv::selftest::fail_check(__FILE__, __LINE__, #condition, 0, 0); \
    } while (false)

#define CHECK_EQ(left, right)                                                                     \
    do {                                                                                          \
        const auto check_left = ::skep::hv::u64(left);                                            \
        const auto check_right = ::skep::hv::u64(right);                                          \
        if (check_left != check_right)                                                            \
            ::skep::hv::selftest::fail_check(__FILE__, __LINE__, #left " == " #right, check_left, \
                                             check_right);                                        \
    } while (false)
