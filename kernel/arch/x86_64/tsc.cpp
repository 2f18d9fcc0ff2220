#include <kernel/arch/x86_64/tsc.hpp>

#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/hpet.hpp>
#include <kernel/arch/x86_64/rtc.hpp>
#include <kernel/base/log.hpp>
#include <kernel/sched/clock.hpp>

#include <algorithm>
#include <array>
#include <atomic>

namespace skep::kernel {

namespace {

// nanoseconds = ticks * to_ns >> kToNsShift, and back.
constexpr unsigned kToNsShift = 32, kToTicksShift = 29;
std::uint64_t frequency = 1'000'000'000, tsc_base, to_ns = std::uint64_t{1} << kToNsShift,
              to_ticks = std::uint64_t{1} << kToTicksShift;
std::atomic<std::int64_t> realtime_offset;  // realtime - monotonic

__extension__ using Wide = unsigned __int128;

Wide scale(std::uint64_t value, std::uint64_t factor, unsigned shift) {
    return static_cast<Wide>(value) * factor >> shift;
}

// 8254 channel 2, gated by port 0x61, runs at 1,193,182 Hz and its output can be read back.
constexpr std::uint16_t kPitChannel2 = 0x42, kPitCommand = 0x43, kSystemControl = 0x61;
constexpr std::uint8_t kGate2 = 1, kSpeaker = 2, kOut2 = 0x20;
constexpr std::uint8_t kChannel2Mode0 = 0xb0;
constexpr std::uint64_t kPitFrequency = 1'193'182;

// TSC ticks while the PIT counts `count` down.
std::uint64_t measure(std::uint16_t count) {
    out8(kSystemControl, static_cast<std::uint8_t>((in8(kSystemControl) & ~kSpeaker) | kGate2));
    out8(kPitCommand, kChannel2Mode0);
    out8(kPitChannel2, count & 0xff);
    const std::uint64_t start = read_tsc();  // the last write starts the count
    out8(kPitChannel2, static_cast<std::uint8_t>(count >> 8));
    while (!(in8(kSystemControl) & kOut2))
        if (read_tsc() - start > 10'000'000'000)
            return 0;  // no PIT
    return read_tsc() - start;
}

// Hz by the HPET; 0: its counter stands.
std::uint64_t measure_by(const Hpet& hpet) {
    constexpr std::uint64_t kWanted = 10'000'000'000'000,
                            kFemtosecondsPerNanosecond = 1'000'000;  // 10 ms
    constexpr std::uint64_t kGiveUp = 10'000'000'000, kSecond = 1'000'000'000;
    const auto wanted = static_cast<std::uint32_t>(kWanted / hpet.period());
    const std::uint32_t first = hpet.counter();
    const std::uint64_t start = read_tsc();
    std::uint64_t ticks;
    std::uint32_t passed;
    do {
        passed = hpet.counter() - first;
        ticks = read_tsc() - start;
        if (ticks > kGiveUp)
            return 0;
    } while (passed < wanted);
    // No overflow: kGiveUp * kSecond has 64 bits.
    return ticks * kSecond / (std::uint64_t{passed} * hpet.period() / kFemtosecondsPerNanosecond);
}

constexpr int kMeasurements = 5;

// An emulator that is descheduled between the two clocks' readings makes a measurement longer or
// shorter: the middle one is right.
std::uint64_t by_hpet(const Hpet& hpet) {
    std::array<std::uint64_t, kMeasurements> results;
    for (std::uint64_t& result : results)
        result = measure_by(hpet);
    std::ranges::sort(results);
    return results[results.size() / 2];
}

// Here being descheduled only ever makes it longer.
std::uint64_t by_pit() {
    constexpr std::uint16_t kCount = 11932;  // 10 ms
    std::uint64_t ticks = ~std::uint64_t{0};
    for (int i = 0; i < kMeasurements; i++)
        ticks = std::min(ticks, measure(kCount));
    return ticks * kPitFrequency / kCount;
}

}  // namespace

std::uint64_t clear_tsc_adjust() {
    constexpr std::uint32_t kFeatures = 7, kHasTscAdjust = 1 << 1;
    if (cpuid(0).eax < kFeatures || !(cpuid(kFeatures).ebx & kHasTscAdjust))
        return 0;
    const std::uint64_t adjust = read_msr(Msr::TscAdjust);
    if (adjust)
        write_msr(Msr::TscAdjust, 0);
    return adjust;
}

void init_tsc(std::uint64_t known, std::uint64_t began,
              const std::optional<PhysAddr>& hpet_registers) {
    constexpr std::uint64_t kSlowest = 1'000'000;
    const std::optional<Hpet> hpet = hpet_registers ? Hpet::start(*hpet_registers) : std::nullopt;
    const char* by = "hv";
    if (known) {
        frequency = known;
    } else if (hpet && (frequency = by_hpet(*hpet)) >= kSlowest) {
        by = "HPET";
    } else if ((frequency = by_pit()) >= kSlowest) {
        by = "PIT";
    } else {
        by = "nothing: assumed";
        frequency = 1'000'000'000;
    }
    to_ns = (std::uint64_t{1'000'000'000} << kToNsShift) / frequency;
    to_ticks = (frequency << kToTicksShift) / 1'000'000'000;
    tsc_base = began;
    set_realtime(read_rtc() * 1'000'000'000);
    log("TSC: {} kHz (by {}), HPET: {} kHz", frequency / 1000, by,
        hpet ? 1'000'000'000'000 / hpet->period() : 0);
}

std::uint64_t tsc_at(Nanoseconds time) {
    // Rounded up, so that the interrupt does not come before its time.
    const Wide ticks = scale(time, to_ticks, kToTicksShift) + 1;
    const Wide limit = ~std::uint64_t{0} >> 1;
    return tsc_base + static_cast<std::uint64_t>(ticks < limit ? ticks : limit);
}

Nanoseconds monotonic_now() {
    return static_cast<Nanoseconds>(scale(read_tsc() - tsc_base, to_ns, kToNsShift));
}

std::uint64_t tsc_frequency() {
    return frequency;
}

std::int64_t realtime_now() {
    return static_cast<std::int64_t>(monotonic_now()) +
           realtime_offset.load(std::memory_order_relaxed);
}

void set_realtime(std::int64_t now) {
    realtime_offset.store(now - static_cast<std::int64_t>(monotonic_now()),
                          std::memory_order_relaxed);
}

}  // namespace skep::kernel
