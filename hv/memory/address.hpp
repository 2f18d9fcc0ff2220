// Host-physical and guest-physical addresses are types of their own: neither converts to the other.
// In the root domain they are equal by construction, and the conversion is spelled out there.
#pragma once

#include "hv/lib/types.hpp"

#include <compare>

namespace skep::hv {

template <class Space>
struct PhysicalAddress {
    u64 value = 0;

    constexpr auto operator<=>(const PhysicalAddress&) const = default;
    constexpr PhysicalAddress operator+(u64 bytes) const { return {value + bytes}; }
    constexpr PhysicalAddress frame() const { return {align_down(value, kPageSize)}; }
    constexpr u64 offset() const { return value & (kPageSize - 1); }
};

using Hpa = PhysicalAddress<struct HostSpace>;
using Gpa = PhysicalAddress<struct GuestSpace>;

}  // namespace skep::hv
