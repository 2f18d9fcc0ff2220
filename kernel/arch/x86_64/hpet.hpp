// The High Precision Event Timer's main counter (IA-PC HPET specification 1.0a): a clock whose rate
// is told, by which the TSC's is measured. Its comparators are not used; the local APIC's timer
// wakes.
#pragma once

#include <kernel/mm/physical.hpp>

#include <cstdint>
#include <optional>

namespace skep::kernel {

class Hpet {
  public:
    // Starts the counter. Nothing: the registers say what cannot be.
    static std::optional<Hpet> start(PhysAddr registers);
    // The lower half: some have no more.
    std::uint32_t counter() const;
    std::uint32_t period() const { return period_; }  // femtoseconds

  private:
    Hpet(volatile std::uint32_t* registers, std::uint32_t period)
        : registers_(registers), period_(period) {}
    volatile std::uint32_t* registers_;
    std::uint32_t period_;
};

}  // namespace skep::kernel
