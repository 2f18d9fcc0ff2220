// What is exhausted, one case each.
#pragma once

#include <span>
#include <stdexcept>
#include <string>

namespace skep::holds_test {

struct Case {
    const char* name;
    void (*run)();  // throws what is not as it should be
};
std::span<const Case> cases();

[[noreturn]] void wrong(const char* what, int line, int error);

// The condition holds.
#define HOLDS(condition)                        \
    do {                                        \
        if (!(condition))                       \
            wrong(#condition, __LINE__, errno); \
    } while (0)

}  // namespace skep::holds_test
