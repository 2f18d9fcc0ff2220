#include <kernel/arch/x86_64/smp.hpp>

#include <kernel/arch/x86_64/apic.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/fpu.hpp>
#include <kernel/arch/x86_64/hypercall.hpp>
#include <kernel/arch/x86_64/trap.hpp>
#include <kernel/arch/x86_64/tsc.hpp>
#include <kernel/base/log.hpp>
#include <kernel/dev/acpi/tables.hpp>
#include <kernel/mm/kernel_map.hpp>
#include <kernel/mm/layout.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/sched/scheduler.hpp>

#include <cstring>
#include <new>

extern "C" {
std::uint64_t ap_boot_stacks[skep::kernel::kMaxCpus];
std::uint64_t ap_boot_cr3;
extern char ap_trampoline[], ap_trampoline_cpu[], ap_trampoline_end[];
void ap_start32();
}

namespace skep::kernel {

namespace {

constexpr std::uint64_t kTrampoline = 0x8000;  // below 1 MiB, which nobody else uses

void wait(Nanoseconds time) {
    const Nanoseconds until = monotonic_now() + time;
    while (monotonic_now() < until)
        pause();
}

void start_by_ipi(const Cpu& cpu) {
    auto* page = static_cast<char*>(direct_map({kTrampoline}));
    std::memcpy(page, ap_trampoline, static_cast<std::size_t>(ap_trampoline_end - ap_trampoline));
    std::memcpy(page + (ap_trampoline_cpu - ap_trampoline), &cpu.number, sizeof cpu.number);
    // SDM vol. 3, 9.4.4.1
    send_init(cpu.apic_id);
    wait(10'000'000);
    for (int i = 0; i < 2 && !cpu.online.load(std::memory_order_acquire); i++) {
        send_startup(cpu.apic_id, kTrampoline / kPageSize);
        wait(i == 0 ? 1'000'000 : 200'000);
    }
}

bool start_cpu(Cpu& cpu) {
    if (under_hv()) {
        const auto entry = reinterpret_cast<std::uint64_t>(&ap_start32);
        if (const std::int64_t result =
                hypercall(abi::Hypercall::CpuStart, cpu.apic_id, entry, cpu.number);
            result < 0) {
            log("CPU {}: hv does not start it: error {}", cpu.number, -result);
            return false;
        }
    } else {
        start_by_ipi(cpu);
    }
    for (int i = 0; i < 2000; i++) {
        if (cpu.online.load(std::memory_order_acquire))
            return true;
        wait(1'000'000);
    }
    log("CPU {} (APIC id {}) does not come up", cpu.number, cpu.apic_id);
    return false;
}

}  // namespace

void start_other_cpus() {
    const bool hv = under_hv();
    ap_boot_cr3 = kernel_page_table().root().value;
    const std::size_t found = hv ? host_info().cpu_count : acpi_machine.cpu_count;
    for (std::size_t i = 0; i < found && i < kMaxCpus; i++) {
        const std::uint32_t apic_id = hv ? host_info().apic_ids[i] : acpi_machine.apic_ids[i];
        if (apic_id == cpus[0]->apic_id)
            continue;
        auto* cpu = new (std::nothrow) Cpu{};
        auto stack = allocate_kernel_stack();
        if (!cpu || !stack) {
            log("no memory for another CPU");
            delete cpu;
            return;
        }
        cpu->number = cpu_count;
        cpu->apic_id = apic_id;
        init_scheduler_on_this_cpu(*cpu);
        if (!allocate_trap_stacks(*cpu)) {
            log("no memory for another CPU");
            return;
        }
        cpu->idle->stack_top = *stack;
        ap_boot_stacks[cpu->number] = *stack;
        cpus[cpu->number] = cpu;
        if (start_cpu(*cpu))
            cpu_count++;
        else
            cpus[cpu->number] = nullptr;  // its memory stays: it might come up late
    }
    log("{} CPU(s) run", cpu_count);
}

extern "C" [[noreturn]] void ap_main(std::uint32_t number) {
    Cpu& cpu = *cpus[number];
    init_this_cpu(cpu);
    (void)clear_tsc_adjust();
    init_fpu_on_this_cpu();
    enable_local_apic();
    cpu.timer_deadline = kForever;
    cpu.online.store(true, std::memory_order_release);
    run_idle_loop();
}

void stop_other_cpus() {
    for (std::uint32_t i = 0; i < cpu_count; i++)
        if (cpus[i] && cpus[i] != &this_cpu() && cpus[i]->online)
            send_interrupt(*cpus[i], kStopVector);
}

}  // namespace skep::kernel
