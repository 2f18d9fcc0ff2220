// What the maker of calls and the one who starts it share: a page of a file.
#pragma once

#include <cstdint>

namespace skep::fuzz {

inline constexpr char kProgressFile[] = "/tmp/fuzz/progress";
inline constexpr std::uint64_t kProgressAt = 0x7000'0000;  // where it is mapped
inline constexpr unsigned kNumbers = 640;

struct Progress {
    std::uint64_t calls;             // made so far
    std::uint64_t last;              // the number of the one that is being made
    std::uint8_t unknown[kNumbers];  // ENOSYS: not worth another one
};
static_assert(sizeof(Progress) <= 4096);

}  // namespace skep::fuzz
