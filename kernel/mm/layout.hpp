// The kernel's half of the address space, by top-level (512 GiB) slots. All address spaces share
// it.
#pragma once

#include <cstdint>

namespace skep::kernel {

inline constexpr std::uint64_t kUserEnd =
    0x0000'7fff'ffff'f000;  // one page short of the canonical hole
inline constexpr std::uint64_t kDirectMapBase = 0xffff'8000'0000'0000;
inline constexpr std::uint64_t kDirectMapEnd = 0xffff'8080'0000'0000;  // one slot: 512 GiB of RAM
inline constexpr std::uint64_t kDeviceBase = 0xffff'c000'0000'0000;
inline constexpr std::uint64_t kDeviceEnd = 0xffff'c080'0000'0000;
inline constexpr std::uint64_t kStackBase = 0xffff'd000'0000'0000;
inline constexpr std::uint64_t kStackEnd = 0xffff'd080'0000'0000;
inline constexpr std::uint64_t kImageBase = 0xffff'ffff'8000'0000;

}  // namespace skep::kernel
