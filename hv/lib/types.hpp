// The integer names used throughout hv.
#pragma once

#include <cstddef>
#include <cstdint>

namespace skep::hv {

using u8 = std::uint8_t;
using u16 = std::uint16_t;
using u32 = std::uint32_t;
using u64 = std::uint64_t;
using i64 = std::int64_t;

inline constexpr u64 kPageSize = 4096;
inline constexpr u64 kPageSize2M = 2 << 20;
inline constexpr u64 kPageSize1G = 1 << 30;

constexpr u64 align_down(u64 value, u64 alignment) {
    return value & ~(alignment - 1);
}
constexpr u64 align_up(u64 value, u64 alignment) {
    return align_down(value + alignment - 1, alignment);
}
constexpr bool is_aligned(u64 value, u64 alignment) {
    return (value & (alignment - 1)) == 0;
}

}  // namespace skep::hv
