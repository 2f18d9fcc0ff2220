// A local APIC's 4 KiB register page (SDM vol. 3, table 11-1) to and from its named registers.
#pragma once

#include <skep/snapshot/v1/vcpu.pb.h>

#include <snapshot/error.hpp>

#include <cstddef>
#include <span>

namespace skep::snapshot {

inline constexpr std::size_t kApicPageSize = 4096;

// Sets every field that lives in the page; leaves apic_base, tsc_deadline and timer_remaining
// alone.
void apic_from_page(std::span<const std::byte, kApicPageSize> page, v1::LocalApic& apic);

// Zeroes the page and fills in the registers. Missing, naming the register, if one is not set.
Status apic_to_page(const v1::LocalApic& apic, std::span<std::byte, kApicPageSize> page);

}  // namespace skep::snapshot
