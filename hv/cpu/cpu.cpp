#include "hv/cpu/cpu.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/cpu/exceptions.hpp"
#include "hv/cpu/fpu.hpp"
#include "hv/lib/panic.hpp"
#include "hv/memory/host_tables.hpp"

namespace skep::hv {

alignas(kStackSize) u8 cpu_stacks[kMaxCpus][kStackSize];

namespace {

constinit std::array<Cpu, kMaxCpus> cpus{};
unsigned count = 1;

struct [[gnu::packed]] TablePointer {
    u16 limit;
    u64 base;
};

void load_gdt(Cpu& cpu) {
    const u64 base = reinterpret_cast<u64>(&cpu.task_state);
    cpu.task_state.io_map_base = sizeof(TaskState);
    cpu.gdt = {
        0,
        0x00af'9b00'0000'ffff,  // 64-bit code
        0x00cf'9300'0000'ffff,  // data
        0x00cf'9b00'0000'ffff,  // 32-bit code
        0,
        // Available 64-bit TSS, SDM vol. 3, figure 8-4.
        (sizeof(TaskState) - 1) | (base & 0xff'ffff) << 16 | u64{0x89} << 40 |
            (base >> 24 & 0xff) << 56,
        base >> 32,
    };
    const TablePointer pointer{sizeof cpu.gdt - 1, reinterpret_cast<u64>(cpu.gdt.data())};
    asm volatile(
        "lgdt %0\n\t"
        "mov %1, %%ds\n\t"
        "mov %1, %%es\n\t"
        "mov %1, %%ss\n\t"
        "mov %2, %%fs\n\t"
        "mov %2, %%gs\n\t"
        "lldt %w2\n\t"
        "ltr %w3"
        :
        : "m"(pointer), "r"(u32{kDataSelector}), "r"(0), "r"(u32{kTaskSelector})
        : "memory");
}

}  // namespace

u8* Cpu::stack_top() {
    return cpu_stacks[index] + kStackSize - 16;
}

Cpu& cpu_at(unsigned index) {
    return cpus[index];
}
unsigned cpu_count() {
    return count;
}
void set_cpu_count(unsigned value) {
    count = value;
}

void prepare_cpu(unsigned index, u32 apic_id) {
    Cpu& cpu = cpus[index];
    cpu.index = index;
    cpu.apic_id = apic_id;
    *reinterpret_cast<Cpu**>(cpu_stacks[index] + kStackSize - 8) = &cpu;
}

void init_cpu(Cpu& cpu) {
    host_tables_activate();
    load_gdt(cpu);
    load_idt();
    write_cr0((read_cr0() & ~(cr0::kEm | cr0::kTs)) | cr0::kMp | cr0::kNe | cr0::kWp);
    init_fpu();
}

}  // namespace skep::hv
