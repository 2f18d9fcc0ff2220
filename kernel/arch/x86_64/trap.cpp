#include <kernel/arch/x86_64/trap.hpp>

#include <kernel/arch/x86_64/apic.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/base/log.hpp>
#include <kernel/base/symbols.hpp>
#include <kernel/dev/interrupt_impl.hpp>
#include <kernel/mm/address_space.hpp>
#include <kernel/mm/heap.hpp>
#include <kernel/mm/layout.hpp>
#include <kernel/proc/user_entry.hpp>
#include <kernel/sched/scheduler.hpp>

#include <hv/abi/hypercall.hpp>

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
constexpr std::size_t kIstStackSize = 8192;

unsigned ist_of(unsigned vector) {
    switch (static_cast<TrapVector>(vector)) {
        case TrapVector::Nmi:
            return kIstNmi;
        case TrapVector::DoubleFault:
            return kIstDoubleFault;
        case TrapVector::MachineCheck:
            return kIstMachineCheck;
        default:
            return 0;
    }
}

constexpr const char* kNames[] = {
    "divide error",
    "debug",
    "NMI",
    "breakpoint",
    "overflow",
    "bound range",
    "invalid opcode",
    "device not available",
    "double fault",
    "coprocessor overrun",
    "invalid TSS",
    "segment not present",
    "stack fault",
    "general protection",
    "page fault",
    "reserved",
    "x87 error",
    "alignment check",
    "machine check",
    "SIMD error",
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
    auto show = [](std::uint64_t address) {
        const FunctionName function = function_at(address);
        log("  {:x} {}+{:x}", address, function.name, function.offset);
    };
    log("backtrace (lines: addr2line -Cfipe build/kernel/kernel ADDRESS...):");
    show(rip);
    // Frames lie on one stack: ascending, near each other, in the kernel's half.
    for (int depth = 0; depth < 32 && rbp >> 47 == 0x1'ffff && rbp % 8 == 0; depth++) {
        const auto* frame = reinterpret_cast<const std::uint64_t*>(rbp);
        if (frame[1] == 0)
            break;
        show(frame[1] - 1);  // in the call, not behind it: that may be another function
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

namespace {

struct ExceptionFixup {
    std::uint64_t at, fixup;
};
extern "C" const ExceptionFixup exception_table_start[], exception_table_end[];

// The fix-up of a faulting instruction of user_access.S, or 0.
std::uint64_t fixup_of(std::uint64_t rip) {
    for (const auto* e = exception_table_start; e < exception_table_end; e++)
        if (e->at == rip)
            return e->fixup;
    return 0;
}

void handle_kernel_exception(TrapFrame& frame) {
    const std::uint64_t address = read_cr2();
    const std::uint64_t fixup = fixup_of(frame.rip);
    const bool page_fault = frame.vector == static_cast<std::uint64_t>(TrapVector::PageFault);
    if (!fixup ||
        (!page_fault && frame.vector != static_cast<std::uint64_t>(TrapVector::GeneralProtection)))
        panic_in_trap(frame);
    // With interrupts masked nothing may sleep, so the page cannot be brought in.
    if (page_fault && address < kUserEnd && frame.rflags & kRflagsInterrupt) {
        enable_interrupts();
        const bool resolved = resolve_user_fault(address, frame.error);
        disable_interrupts();
        if (resolved)
            return;
    }
    frame.rip = fixup;
}

void handle_interrupt(std::uint8_t vector) {
    switch (vector) {
        case kTimerVector:
            end_of_interrupt();
            this_cpu().timer_deadline = kForever;
            on_timer_interrupt();
            return;
        case kRescheduleVector:
            end_of_interrupt();
            on_reschedule_interrupt();
            return;
        case kTlbVector:
            handle_tlb_interrupt();
            end_of_interrupt();
            return;
        case kStopVector:
            for (;;)
                asm volatile("cli; hlt");
        case abi::kNotificationVector:  // a vCPU has left its guest meanwhile
            end_of_interrupt();
            return;
        case kSpuriousVector:
            return;
        default:
            if (vector >= kFirstDeviceVector && vector <= kLastDeviceVector)
                handle_device_interrupt(vector);
            else
                log("unexpected interrupt {}", vector);
    }
}

}  // namespace

extern "C" void trap_dispatch(TrapFrame* frame) {
    if (frame->vector >= kFirstExternalVector) {
        handle_interrupt(static_cast<std::uint8_t>(frame->vector));
        if (frame->from_user())
            finish_user_entry(*frame);
        else
            preempt_if_asked();  // interrupts were on, so nothing is held
        return;
    }
    if (!frame->from_user()) {
        // CR2 is read before interrupts come on.
        handle_kernel_exception(*frame);
        return;
    }
    const std::uint64_t address = read_cr2();
    enable_interrupts();
    handle_user_exception(*frame, address);
    disable_interrupts();
    finish_user_entry(*frame);
}

extern "C" void trap_dispatch_paranoid(TrapFrame* frame) {
    if (frame->vector == static_cast<std::uint64_t>(TrapVector::Nmi)) {
        log("NMI");
        return;
    }
    panic_in_trap(*frame);
}

bool allocate_trap_stacks(Cpu& cpu) {
    for (unsigned i = 0; i < 3; i++) {
        auto* stack = static_cast<char*>(kernel_allocate(kIstStackSize));
        if (!stack)
            return false;
        // Above the frame: whose stack it is (trap_entry.S). RSP stays a multiple of 16.
        char* top = stack + kIstStackSize - 2 * sizeof(Cpu*);
        *reinterpret_cast<Cpu**>(top) = &cpu;
        cpu.tss.ist[i] = reinterpret_cast<std::uint64_t>(top);
    }
    return true;
}

}  // namespace skep::kernel
