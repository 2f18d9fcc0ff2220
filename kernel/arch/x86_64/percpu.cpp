#include <kernel/arch/x86_64/percpu.hpp>

#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/trap.hpp>

namespace skep::kernel {

extern "C" void syscall_entry();
extern "C" bool smap_enabled;

bool programs_set_bases;
Cpu* cpus[kMaxCpus];
std::uint32_t cpu_count;

namespace {

// Descriptors, SDM vol. 3, 3.4.5 and 5.8.1.
constexpr std::uint64_t kCode64 = 0x00af'9b00'0000'ffff;
constexpr std::uint64_t kData = 0x00cf'9300'0000'ffff;
constexpr std::uint64_t kUserCode32 = 0x00cf'fb00'0000'ffff;
constexpr std::uint64_t kUserData = 0x00cf'f300'0000'ffff;
constexpr std::uint64_t kUserCode64 = 0x00af'fb00'0000'ffff;

struct [[gnu::packed]] TablePointer {
    std::uint16_t limit;
    std::uint64_t base;
};

void load_gdt(Cpu& cpu) {
    auto tss = reinterpret_cast<std::uint64_t>(&cpu.tss);
    cpu.gdt[0] = 0;
    cpu.gdt[KERNEL_CODE_SELECTOR / 8] = kCode64;
    cpu.gdt[KERNEL_DATA_SELECTOR / 8] = kData;
    cpu.gdt[USER_CODE32_SELECTOR / 8] = kUserCode32;
    cpu.gdt[USER_DATA_SELECTOR / 8] = kUserData;
    cpu.gdt[USER_CODE_SELECTOR / 8] = kUserCode64;
    cpu.gdt[TSS_SELECTOR / 8] = (sizeof(TaskState) - 1) | (tss & 0xff'ffff) << 16 | 0x89ull << 40 |
                                (tss >> 24 & 0xff) << 56;
    cpu.gdt[TSS_SELECTOR / 8 + 1] = tss >> 32;
    cpu.tss.io_map_base = sizeof(TaskState);

    TablePointer pointer{sizeof(cpu.gdt) - 1, reinterpret_cast<std::uint64_t>(cpu.gdt)};
    asm volatile(
        "lgdt %0\n\t"
        "pushq %1\n\t"
        "leaq 1f(%%rip), %%rax\n\t"
        "pushq %%rax\n\t"
        "lretq\n"
        "1: movl %2, %%eax\n\t"
        "movl %%eax, %%ds\n\t"
        "movl %%eax, %%es\n\t"
        "movl %%eax, %%ss\n\t"
        "xorl %%eax, %%eax\n\t"
        "movl %%eax, %%fs\n\t"
        "movl %%eax, %%gs\n\t"
        "ltr %w3"
        :
        : "m"(pointer), "i"(KERNEL_CODE_SELECTOR), "i"(KERNEL_DATA_SELECTOR), "r"(TSS_SELECTOR)
        : "rax", "memory");
}

}  // namespace

void init_this_cpu(Cpu& cpu) {
    cpu.self = &cpu;
    load_gdt(cpu);
    load_idt();
    write_msr(Msr::GsBase, reinterpret_cast<std::uint64_t>(&cpu));
    write_msr(Msr::KernelGsBase, 0);
    // As after reset, but for entry 4: write-combining (SDM 3A, 12.12).
    constexpr std::uint64_t kMemoryTypes = 0x0007'0401'0007'0406;
    write_msr(Msr::Pat, kMemoryTypes);

    // SYSRET loads CS from STAR[63:48] + 16 and SS from + 8; hence the order of the user
    // descriptors.
    write_msr(Msr::Star, static_cast<std::uint64_t>(KERNEL_CODE_SELECTOR) << 32 |
                             static_cast<std::uint64_t>(USER_CODE32_SELECTOR) << 48);
    write_msr(Msr::Lstar, reinterpret_cast<std::uint64_t>(&syscall_entry));
    write_msr(Msr::Fmask, kRflagsInterrupt | kRflagsTrap | kRflagsDirection | kRflagsNestedTask |
                              kRflagsAlignment);

    const CpuidResult features = cpuid(7);
    std::uint64_t cr4 = read_cr4();
    // FreeBSD's rtld and C library use WRFSBASE as soon as CPUID has it, and ask nobody.
    if (features.ebx & 1 << 0) {
        cr4 |= kCr4FsGsBase;
        programs_set_bases = true;
    }
    if (features.ebx & 1 << 7)
        cr4 |= kCr4Smep;
    if (features.ebx & 1 << 20) {
        cr4 |= kCr4Smap;
        smap_enabled = true;
    }
    if (features.ecx & 1 << 2)
        cr4 |= kCr4Umip;
    write_cr4(cr4);
}

}  // namespace skep::kernel
