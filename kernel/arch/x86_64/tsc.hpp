// The time-stamp counter as the kernel's clock.
#pragma once

#include <kernel/sync/wait.hpp>

#include <kernel/mm/physical.hpp>

#include <cstdint>
#include <optional>

namespace skep::kernel {

// Takes from this CPU's counter what firmware has added to it, or a reset has left there
// (IA32_TSC_ADJUST, Intel SDM 3A 18.17.3), so that the counters of all CPUs agree and deadlines in
// them are right. -> what it took.
std::uint64_t clear_tsc_adjust();
// Finds the frequency: `known` Hz (hv told it), or measured against the HPET, or without one
// against the PIT. From here on monotonic_now() counts, from `began`: the counter when the kernel
// was entered. Interrupts masked.
void init_tsc(std::uint64_t known, std::uint64_t began, const std::optional<PhysAddr>& hpet);
// The counter's value at a monotonic time; at least 1.
std::uint64_t tsc_at(Nanoseconds time);

}  // namespace skep::kernel
