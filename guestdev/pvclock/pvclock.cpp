#include <guestdev/pvclock/pvclock.hpp>

#include <atomic>

namespace skep::guestdev {
namespace {

constexpr std::uint64_t kEnabled = 1;
constexpr std::uint8_t kTscStable = 1;

struct VcpuTimeInfo {
    std::uint32_t version;  // odd while it changes
    std::uint32_t pad0;
    std::uint64_t tsc_timestamp;
    std::uint64_t system_time;
    std::uint32_t tsc_to_system_mul;
    std::int8_t tsc_shift;
    std::uint8_t flags;
    std::uint8_t pad[2];
};
static_assert(sizeof(VcpuTimeInfo) == 32);

struct WallClock {
    std::uint32_t version, seconds, nanoseconds;
};
static_assert(sizeof(WallClock) == 12);

}  // namespace

TscScale tsc_scale(std::uint64_t frequency) {
    // The multiplier is largest where the shifted frequency lies in (1, 2] GHz.
    std::int8_t shift = 0;
    std::uint64_t scaled = frequency;
    while (scaled > 2 * kNanosecondsPerSecond) {
        scaled >>= 1;
        shift--;
    }
    while (scaled <= kNanosecondsPerSecond) {
        scaled <<= 1;
        shift++;
    }
    // From the exact frequency, not the truncated one.
    Wide numerator = static_cast<Wide>(kNanosecondsPerSecond) << 32;
    Wide multiplier =
        shift < 0 ? (numerator << -shift) / frequency : (numerator >> shift) / frequency;
    return {static_cast<std::uint32_t>(multiplier), shift};
}

PvClock::PvClock(unsigned vcpus, std::int64_t wall_clock_ns, std::uint64_t tsc_frequency)
    : tsc_frequency_(tsc_frequency) {
    state.system_time_msr.resize(vcpus);
    state.wall_clock_ns = wall_clock_ns;
}

std::uint64_t PvClock::read(unsigned vcpu, std::uint32_t msr) const {
    return msr == kWallClockMsr ? state.wall_clock_msr : state.system_time_msr.at(vcpu);
}

bool PvClock::write(unsigned vcpu, std::uint32_t msr, std::uint64_t value, GuestTime now,
                    std::uint64_t tsc, const GuestMemory& memory) {
    if (msr == kWallClockMsr) {
        auto base = static_cast<std::uint64_t>(state.wall_clock_ns);
        WallClock clock = {2, static_cast<std::uint32_t>(base / kNanosecondsPerSecond),
                           static_cast<std::uint32_t>(base % kNanosecondsPerSecond)};
        if (!memory.write(value, clock))
            return false;
        state.wall_clock_msr = value;
        return true;
    }
    if (value & kEnabled) {
        std::uint64_t at = value & ~kEnabled;
        auto old = memory.read<std::uint32_t>(at);
        if (!old)
            return false;
        TscScale scale = tsc_scale(tsc_frequency_);
        VcpuTimeInfo info{};
        info.version = (*old | 1) + 1;
        info.tsc_timestamp = tsc;
        info.system_time = now;
        info.tsc_to_system_mul = scale.multiplier;
        info.tsc_shift = scale.shift;
        info.flags = kTscStable;
        // A guest that reads meanwhile sees an odd version.
        if (!memory.write(at, *old | 1))
            return false;
        std::atomic_thread_fence(std::memory_order_seq_cst);
        std::uint32_t version = info.version;
        info.version = *old | 1;
        if (!memory.write(at, info))
            return false;
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (!memory.write(at, version))
            return false;
    }
    state.system_time_msr.at(vcpu) = value;
    return true;
}

}  // namespace skep::guestdev
