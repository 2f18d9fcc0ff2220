#include <kernel/arch/x86_64/trap.hpp>

#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/base/log.hpp>

#include <array>

namespace skep::kernel {

extern "C" char trap_stubs[];

namespace {

// SDM vol. 3, figure 6-8.
struct Gate {
    std::uint64_t low, high;
};
std::array<Gate, 256> idt;

// Interrupt-stack-table numbers of the vectors that must not run on the interrupted stack.
constexpr unsigned kIstNmi = 1, kIstDoubleFault = 2, kIstMachineCheck = 3;
constexpr unsigned kIstStackSize = 8192;
alignas(16) char ist_stacks[3][kIstStackSize];

unsigned ist_of(unsigned vector) {
    switch (static_cast<Vector>(vector)) {
    case Vector::Nmi:
        return kIstNmi;
    case Vector::DoubleFault:
        return kIstDoubleFault;
    case Vector::MachineCheck:
        return kIstMachineCheck;
    default:
        return 0;
    }
}

constexpr const char* kNames[] = {
    "divide error", "debug", "NMI", "breakpoint", "overflow", "bound range", "invalid opcode",
    "device not available", "double fault", "coprocessor overrun", "invalid TSS", "segment not present",
    "stack fault", "general protection", "page fault", "reserved", "x87 error", "alignment check",
    "machine check", "SIMD error",
};

}  // namespace

void load_idt() {
    if (idt[0].low == 0) {
        for (unsigned v = 0; v < 256; v++) {
            auto handler = reinterpret_cast<std::uint64_t>(trap_stubs) + v * 16;
            // #BP and #OF may be raised by programs (INT3, INTO).
            std::uint64_t dpl = v == 3 || v == 4 ? 3 : 0;
            idt[v].low = (handler & 0xffff) | KERNEL_CODE_SELECTOR << 16 |
                         static_cast<std::uint64_t>(ist_of(v)) << 32 | 0x8eull << 40 | dpl << 45 |
                         (handler >> 16 & 0xffff) << 48;
            idt[v].high = handler >> 32;
        }
    }
    Cpu& cpu = *cpus[0];
    for (unsigned i = 0; i < 3; i++)
        if (cpu.tss.ist[i] == 0)
            cpu.tss.ist[i] = reinterpret_cast<std::uint64_t>(ist_stacks[i]) + kIstStackSize;
    struct [[gnu::packed]] {
        std::uint16_t limit;
        std::uint64_t base;
    } pointer{sizeof idt - 1, reinterpret_cast<std::uint64_t>(idt.data())};
    asm volatile("lidt %0" : : "m"(pointer));
}

void print_registers(const TrapFrame& f) {
    log("rip {:x} cs {:x} rflags {:x} rsp {:x} ss {:x}", f.rip, f.cs, f.rflags, f.rsp, f.ss);
    log("rax {:x} rbx {:x} rcx {:x} rdx {:x}", f.rax, f.rbx, f.rcx, f.rdx);
    log("rsi {:x} rdi {:x} rbp {:x} r8 {:x}", f.rsi, f.rdi, f.rbp, f.r8);
    log("r9 {:x} r10 {:x} r11 {:x} r12 {:x}", f.r9, f.r10, f.r11, f.r12);
    log("r13 {:x} r14 {:x} r15 {:x}", f.r13, f.r14, f.r15);
    log("cr2 {:x} cr3 {:x} vector {} error {:x}", read_cr2(), read_cr3(), f.vector, f.error);
}

void print_backtrace(std::uint64_t rip, std::uint64_t rbp) {
    log("backtrace (addr2line -e kernel):");
    log("  {:x}", rip);
    // Frames lie on one stack: ascending, near each other, in the kernel's half.
    for (int depth = 0; depth < 32 && rbp >> 47 == 0x1'ffff && rbp % 8 == 0; depth++) {
        const auto* frame = reinterpret_cast<const std::uint64_t*>(rbp);
        if (frame[1] == 0)
            break;
        log("  {:x}", frame[1]);
        if (frame[0] <= rbp || frame[0] - rbp > 65536)
            break;
        rbp = frame[0];
    }
}

namespace {

[[noreturn]] void panic_in_trap(const TrapFrame& frame) {
    log("trap in the kernel: {}", frame.vector < std::size(kNames) ? kNames[frame.vector] : "?");
    print_registers(frame);
    print_backtrace(frame.rip, frame.rbp);
    panic("unexpected trap {}", frame.vector);
}

}  // namespace

extern "C" void trap_dispatch(TrapFrame* frame) {
    panic_in_trap(*frame);
}

extern "C" void trap_dispatch_paranoid(TrapFrame* frame) {
    panic_in_trap(*frame);
}

}  // namespace skep::kernel
