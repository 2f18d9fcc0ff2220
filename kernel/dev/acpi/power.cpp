#include <kernel/dev/acpi/power.hpp>

#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/base/log.hpp>
#include <kernel/dev/acpi/tables.hpp>

namespace skep::kernel {

namespace {

// PM1 control register, ACPI 6.5, table 4.17.
constexpr std::uint16_t kSleepEnable = 1 << 13;
constexpr unsigned kSleepTypeShift = 10;

void wait_a_little() {
    for (int i = 0; i < 1'000'000; i++)
        pause();
}

}  // namespace

void power_off() {
    log("power off");
    disable_interrupts();
    const AcpiMachine& m = acpi_machine;
    if (m.pm1a_control && m.s5_type_a) {
        out16(m.pm1a_control,
              static_cast<std::uint16_t>(*m.s5_type_a << kSleepTypeShift | kSleepEnable));
        if (m.pm1b_control)
            out16(m.pm1b_control, static_cast<std::uint16_t>(
                                      m.s5_type_b.value_or(0) << kSleepTypeShift | kSleepEnable));
        wait_a_little();
    }
    log("the machine does not turn itself off; it may be switched off now");
    halt_forever();
}

void reboot() {
    log("reboot");
    disable_interrupts();
    const AcpiMachine& m = acpi_machine;
    if (m.reset_port) {
        out8(m.reset_port, m.reset_value);
        wait_a_little();
    }
    out8(0xcf9, 0x06);  // reset control register of Intel's chipsets: full reset
    wait_a_little();
    out8(0x64, 0xfe);  // keyboard controller: pulse the reset line
    wait_a_little();
    // A triple fault: no interrupt table.
    const struct [[gnu::packed]] {
        std::uint16_t limit;
        std::uint64_t base;
    } nothing{0, 0};
    asm volatile("lidt %0; int3" : : "m"(nothing));
    halt_forever();
}

void halt_forever() {
    stop_other_cpus();
    for (;;)
        asm volatile("cli; hlt");
}

}  // namespace skep::kernel
