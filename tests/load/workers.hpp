#pragma once

#include <cstdint>
#include <span>

namespace skep::load_test {

// One turn of a kind of work; throws when it got what it should not have.
struct Kind {
    const char* name;
    void (*turn)(std::uint64_t& random);
};
std::span<const Kind> kinds();

}  // namespace skep::load_test
