// From the boot loader's hand-over to the first program.
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/arch/x86_64/serial.hpp>
#include <kernel/base/log.hpp>
#include <kernel/boot/multiboot2.hpp>
#include <kernel/mm/init.hpp>

extern "C" {
extern void (*init_array_start[])();
extern void (*init_array_end[])();
std::uint64_t ap_boot_stacks[skep::kernel::kMaxCpus];
}

namespace skep::kernel {

namespace {

Cpu boot_cpu;

}  // namespace

extern "C" [[noreturn]] void ap_main(std::uint32_t number) {
    panic("CPU {} started", number);
}

extern "C" void syscall_dispatch() {}
extern "C" void thread_started() {}
void stop_other_cpus() {}

extern "C" [[noreturn]] void kernel_main(std::uint32_t magic, std::uint32_t information) {
    serial_init();
    cpus[0] = &boot_cpu;
    cpu_count = 1;
    init_this_cpu(boot_cpu);
    for (auto* constructor = init_array_start; constructor < init_array_end; constructor++)
        (*constructor)();

    log("Skep control kernel");
    if (magic != kMultiboot2Magic)
        panic("not started by a Multiboot2 loader (magic {:x})", magic);
    parse_multiboot2(static_cast<const std::uint8_t*>(direct_map({information})), {information}, boot_information);
    log("command line: {}", boot_information.command_line.data());
    init_physical_memory(boot_information);
    log("memory: {} MiB usable", memory_use().free_frames * kPageSize >> 20);
    for (std::size_t i = 0; i < boot_information.module_count; i++) {
        const BootModule& m = boot_information.modules[i];
        log("module {}: {} KiB at {:x}", m.name(), (m.end.value - m.start.value) >> 10, m.start.value);
    }
    panic("nothing more to do");
}

}  // namespace skep::kernel
