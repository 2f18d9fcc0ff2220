#include <kernel/arch/x86_64/apic.hpp>

#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/trap.hpp>
#include <kernel/arch/x86_64/tsc.hpp>
#include <kernel/base/log.hpp>
#include <kernel/sched/clock.hpp>

#include <algorithm>

namespace skep::kernel {

namespace {

// Register offsets, SDM vol. 3, table 11-1; in x2APIC mode MSR 0x800 + offset / 16.
enum class Register : std::uint32_t {
    Id = 0x20,
    TaskPriority = 0x80,
    Eoi = 0xb0,
    SpuriousVector = 0xf0,
    InterruptCommandLow = 0x300,
    InterruptCommandHigh = 0x310,
    LvtTimer = 0x320,
    LvtThermal = 0x330,
    LvtPerformance = 0x340,
    LvtLint0 = 0x350,
    LvtLint1 = 0x360,
    LvtError = 0x370,
    TimerInitialCount = 0x380,
    TimerCurrentCount = 0x390,
    TimerDivide = 0x3e0,
};

constexpr std::uint64_t kApicBaseX2 = 1 << 10, kApicBaseEnable = 1 << 11;
constexpr std::uint32_t kSoftwareEnable = 1 << 8;
constexpr std::uint32_t kLvtMasked = 1 << 16, kLvtNmi = 4 << 8;
constexpr std::uint32_t kLvtTscDeadline = 2 << 17;
constexpr std::uint32_t kDivideBy16 = 3;
constexpr std::uint32_t kDeliveryPending = 1 << 12, kAssert = 1 << 14;
constexpr std::uint32_t kDeliverInit = 5 << 8, kDeliverStartup = 6 << 8, kAllButSelf = 3 << 18;

volatile std::uint32_t* registers;
bool x2apic;
bool tsc_deadline;
std::uint64_t timer_frequency;  // Hz after the divider

std::uint32_t read(Register r) {
    const auto offset = static_cast<std::uint32_t>(r);
    return x2apic ? static_cast<std::uint32_t>(read_msr(Msr::X2Apic, offset >> 4))
                  : registers[offset / 4];
}
void write(Register r, std::uint32_t value) {
    const auto offset = static_cast<std::uint32_t>(r);
    if (x2apic)
        write_msr(Msr::X2Apic, value, offset >> 4);
    else
        registers[offset / 4] = value;
}

void send_command(std::uint32_t apic_id, std::uint32_t command) {
    const InterruptsOff off;  // the two halves belong together
    if (x2apic) {
        write_msr(Msr::X2Apic, static_cast<std::uint64_t>(apic_id) << 32 | command,
                  static_cast<std::uint32_t>(Register::InterruptCommandLow) >> 4);
        return;
    }
    while (read(Register::InterruptCommandLow) & kDeliveryPending)
        pause();
    write(Register::InterruptCommandHigh, apic_id << 24);
    write(Register::InterruptCommandLow, command);
}

}  // namespace

void init_local_apic(PhysAddr address) {
    x2apic = read_msr(Msr::ApicBase) & kApicBaseX2;
    tsc_deadline = cpuid(1).ecx & 1 << 24;
    if (x2apic)
        return;
    auto mapped = map_device(address, kPageSize);
    if (!mapped)
        panic("cannot map the local APIC");
    registers = static_cast<volatile std::uint32_t*>(*mapped);
}

void enable_local_apic() {
    write_msr(Msr::ApicBase,
              read_msr(Msr::ApicBase) | kApicBaseEnable | (x2apic ? kApicBaseX2 : 0));
    write(Register::SpuriousVector, kSoftwareEnable | kSpuriousVector);
    write(Register::LvtLint0, kLvtMasked);
    write(Register::LvtLint1, kLvtNmi);
    write(Register::LvtError, kLvtMasked);
    write(Register::LvtTimer, (tsc_deadline ? kLvtTscDeadline : 0) | kTimerVector);
    write(Register::TimerDivide, kDivideBy16);
    write(Register::TimerInitialCount, 0);
    write(Register::TaskPriority, 0);
}

std::uint32_t local_apic_id() {
    return x2apic ? read(Register::Id) : read(Register::Id) >> 24;
}

void end_of_interrupt() {
    write(Register::Eoi, 0);
}

void calibrate_apic_timer() {
    if (tsc_deadline)
        return;
    constexpr Nanoseconds kFor = 3'000'000;
    write(Register::LvtTimer, kLvtMasked);
    // An emulator may be descheduled between the two clocks' readings: the quickest pair of
    // readings counts.
    Nanoseconds least = kForever;
    for (int i = 0; i < 5; i++) {
        const Nanoseconds before = monotonic_now();
        write(Register::TimerInitialCount, ~0u);
        const Nanoseconds start = monotonic_now();
        while (monotonic_now() - start < kFor)
            pause();
        const Nanoseconds end = monotonic_now();
        const std::uint64_t counted = ~0u - read(Register::TimerCurrentCount);
        const Nanoseconds uncertain = start - before + (monotonic_now() - end);
        if (uncertain >= least)
            continue;
        least = uncertain;
        timer_frequency = std::max<std::uint64_t>(counted * 1'000'000'000 / (end - start), 1000);
    }
    write(Register::TimerInitialCount, 0);
    write(Register::LvtTimer, kTimerVector);
    log("local APIC timer: {} kHz", timer_frequency / 1000);
}

void program_timer(Nanoseconds deadline) {
    Cpu& cpu = this_cpu();
    if (cpu.timer_deadline == deadline)
        return;
    cpu.timer_deadline = deadline;
    if (tsc_deadline) {
        write_msr(Msr::TscDeadline, deadline == kForever ? 0 : tsc_at(deadline));
        return;
    }
    if (deadline == kForever) {
        write(Register::TimerInitialCount, 0);
        return;
    }
    const Nanoseconds now = monotonic_now();
    // A second at most, so that the product fits; an early interrupt is programmed again.
    const Nanoseconds wait =
        deadline > now ? std::min<Nanoseconds>(deadline - now, 1'000'000'000) : 0;
    const std::uint64_t count = wait * timer_frequency / 1'000'000'000 + 1;
    write(Register::TimerInitialCount,
          static_cast<std::uint32_t>(std::min<std::uint64_t>(count, ~0u)));
}

void send_interrupt(const Cpu& cpu, std::uint8_t vector) {
    send_command(cpu.apic_id, kAssert | vector);
}
void send_interrupt_to_others(std::uint8_t vector) {
    send_command(0, kAllButSelf | kAssert | vector);
}
void send_init(std::uint32_t apic_id) {
    send_command(apic_id, kAssert | kDeliverInit);
}
void send_startup(std::uint32_t apic_id, std::uint8_t page) {
    send_command(apic_id, kAssert | kDeliverStartup | page);
}

}  // namespace skep::kernel
