#include <kernel/arch/x86_64/tsc.hpp>

#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/rtc.hpp>
#include <kernel/base/log.hpp>
#include <kernel/sched/clock.hpp>

#include <algorithm>
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

}  // namespace

void init_tsc(std::uint64_t known, std::uint64_t began) {
    if (known) {
        frequency = known;
    } else {
        // An emulator that is descheduled meanwhile only ever makes a measurement longer.
        constexpr std::uint16_t kCount = 11932;  // 10 ms
        std::uint64_t ticks = ~std::uint64_t{0};
        for (int i = 0; i < 5; i++)
            ticks = std::min(ticks, measure(kCount));
        frequency = ticks * kPitFrequency / kCount;
        if (frequency < 1'000'000) {
            log("TSC: no PIT to measure it by; assuming 1 GHz");
            frequency = 1'000'000'000;
        }
    }
    to_ns = (std::uint64_t{1'000'000'000} << kToNsShift) / frequency;
    to_ticks = (frequency << kToTicksShift) / 1'000'000'000;
    tsc_base = began;
    set_realtime(read_rtc() * 1'000'000'000);
    log("TSC: {} kHz", frequency / 1000);
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
