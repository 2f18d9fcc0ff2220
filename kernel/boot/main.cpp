// From the boot loader's hand-over to the first program.
#include <kernel/abi/freebsd/shared_page.hpp>
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/abi/linux/tables.hpp>
#include <kernel/arch/x86_64/apic.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/fpu.hpp>
#include <kernel/arch/x86_64/hypercall.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/arch/x86_64/serial.hpp>
#include <kernel/arch/x86_64/smp.hpp>
#include <kernel/arch/x86_64/tsc.hpp>
#include <kernel/base/log.hpp>
#include <kernel/boot/devices.hpp>
#include <kernel/boot/multiboot2.hpp>
#include <kernel/dev/acpi/tables.hpp>
#include <kernel/dev/interrupt_impl.hpp>
#include <kernel/mm/init.hpp>
#include <kernel/mm/kernel_map.hpp>
#include <kernel/proc/init.hpp>
#include <kernel/sched/load.hpp>
#include <kernel/sched/scheduler.hpp>

extern "C" {
extern void (*init_array_start[])();
extern void (*init_array_end[])();
}

namespace skep::kernel {

namespace {

Cpu boot_cpu;

// The first thread: what may sleep.
void finish_boot(void*) {
    start_stack_reaper();
    start_other_cpus();
    start_load_sampling();
    start_devices();
    mount_root();
    start_init();
}

void log_boot_information() {
    log("command line: {}", static_cast<const char*>(boot_information.command_line.data()));
    log("memory: {} MiB usable", memory_use().free_frames * kPageSize >> 20);
    for (std::size_t i = 0; i < boot_information.module_count; i++) {
        const BootModule& m = boot_information.modules[i];
        log("module {}: {} KiB at {:x}", m.name(), (m.end.value - m.start.value) >> 10,
            m.start.value);
    }
}

}  // namespace

extern "C" [[noreturn]] void kernel_main(std::uint32_t magic, std::uint32_t information) {
    std::uint64_t began = read_tsc();
    serial_init();
    cpus[0] = &boot_cpu;
    cpu_count = 1;
    init_this_cpu(boot_cpu);
    for (auto* constructor = init_array_start; constructor < init_array_end; constructor++)
        (*constructor)();

    log("Skep control kernel");
    if (magic != kMultiboot2Magic)
        panic("not started by a Multiboot2 loader (magic {:x})", magic);
    parse_multiboot2(static_cast<const std::uint8_t*>(direct_map({information})), {information},
                     boot_information);
    init_physical_memory(boot_information);
    log_boot_information();
    if (!allocate_trap_stacks(boot_cpu))
        panic("no memory");
    init_fpu_on_this_cpu();
    init_hypercalls();

    read_acpi_tables(boot_information, acpi_machine);
    began -= clear_tsc_adjust();
    init_tsc(under_hv() ? host_info().tsc_frequency : 0, began, acpi_machine.hpet);
    init_local_apic(acpi_machine.local_apic);
    boot_cpu.timer_deadline = ~0ull;
    init_scheduler_on_this_cpu(boot_cpu);
    enable_local_apic();
    boot_cpu.apic_id = local_apic_id();
    init_interrupts();
    calibrate_apic_timer();
    boot_cpu.online = true;

    linux_abi::init_tables();
    freebsd_abi::init_tables();
    if (!freebsd_abi::init_shared_page())
        panic("no memory");
    if (!start_kernel_thread("boot", finish_boot, nullptr))
        panic("no memory for the first thread");
    run_idle_loop();
}

}  // namespace skep::kernel
