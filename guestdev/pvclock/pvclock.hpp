// KVM's paravirtual clock (Linux, Documentation/virt/kvm/x86/msr.rst): tells a guest its TSC's
// frequency and what guest time it stands for.
//
// Pure state machine. Guest time and TSC stop and go on together, so a page once written stays
// right across pause, save and restore; nothing is updated later.
#pragma once

#include <guestdev/core/memory.hpp>
#include <guestdev/core/time.hpp>

#include <cstdint>
#include <vector>

namespace skep::guestdev {

class PvClock {
  public:
    static constexpr std::uint32_t kWallClockMsr = 0x4b56'4d00, kSystemTimeMsr = 0x4b56'4d01;
    static bool handles(std::uint32_t msr) { return msr == kWallClockMsr || msr == kSystemTimeMsr; }

    struct State {
        std::vector<std::uint64_t> system_time_msr;
        std::uint64_t wall_clock_msr = 0;
        std::int64_t wall_clock_ns = 0;  // Unix time at guest time 0
    };

    PvClock(unsigned vcpus, std::int64_t wall_clock_ns, std::uint64_t tsc_frequency);

    std::uint64_t read(unsigned vcpu, std::uint32_t msr) const;
    // `now` and `tsc` (of that vCPU) are the same moment. False: a #GP for the guest.
    [[nodiscard]] bool write(unsigned vcpu, std::uint32_t msr, std::uint64_t value, GuestTime now,
                             std::uint64_t tsc, const GuestMemory& memory);

    State state;

  private:
    std::uint64_t tsc_frequency_;
};

// nanoseconds = (ticks << shift, or >> -shift) * multiplier >> 32
struct TscScale {
    std::uint32_t multiplier;
    std::int8_t shift;
};
TscScale tsc_scale(std::uint64_t frequency);

}  // namespace skep::guestdev
