#include "hv/cpu/exceptions.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/cpu/cpu.hpp"
#include "hv/cpu/physical_apic.hpp"
#include "hv/lib/panic.hpp"
#include "hv/lib/symbols.hpp"

namespace skep::hv {

namespace {

constexpr unsigned kVectors = 32;
constexpr u64 kNmiVector = 2, kSecurityVector = 30;

// SDM vol. 3, figure 6-8.
struct Gate {
    u16 offset_low, selector;
    u8 ist, type;
    u16 offset_middle;
    u32 offset_high, reserved;
};
static_assert(sizeof(Gate) == 16);

constinit Gate idt[kVectors]{};

struct Frame {
    u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    u64 vector, error_code, rip, cs, rflags, rsp, ss;
};

void print_registers(const Frame& frame) {
    log("  rax {} rbx {} rcx {} rdx {}", Hex{frame.rax}, Hex{frame.rbx}, Hex{frame.rcx},
        Hex{frame.rdx});
    log("  rsi {} rdi {} rbp {} rsp {}", Hex{frame.rsi}, Hex{frame.rdi}, Hex{frame.rbp},
        Hex{frame.rsp});
    log("  r8 {} r9 {} r10 {} r11 {}", Hex{frame.r8}, Hex{frame.r9}, Hex{frame.r10},
        Hex{frame.r11});
    log("  r12 {} r13 {} r14 {} r15 {}", Hex{frame.r12}, Hex{frame.r13}, Hex{frame.r14},
        Hex{frame.r15});
    log("  rflags {} cs {} ss {} cr3 {}", Hex{frame.rflags}, Hex{frame.cs}, Hex{frame.ss},
        Hex{read_cr3()});
}

// The function that was interrupted, and those above it.
void print_place(const Frame& frame) {
    const FunctionName function = function_at(frame.rip);
    log("  at {} {} + {}", Hex{frame.rip}, function.name, Hex{function.offset});
    print_backtrace(frame.rbp);
}

std::atomic<bool> answered{false};

}  // namespace

extern "C" const u64 exception_stubs[kVectors];

extern "C" void handle_exception(const Frame& frame) {
    if (frame.vector == kNmiVector) {
        Cpu& cpu = Cpu::current();
        if (stopping) {
            log("CPU {}:", cpu.index);
            print_registers(frame);
            print_place(frame);
            answered = true;
            halt_forever();
        }
        if (!cpu.kicked.exchange(false))
            cpu.pending |= Cpu::kPendingNmi;
        return;
    }
    if (frame.vector == kSecurityVector)  // an INIT (SvmBackend::enable_cpu)
        return;
    begin_panic();
    log("PANIC: exception {} error {} at {} CR2 {}", frame.vector, Hex{frame.error_code},
        Hex{frame.rip}, Hex{read_cr2()});
    print_registers(frame);
    print_place(frame);
    stop_other_cpus();
    halt_forever();
}

// One after the other, so that their lines do not mix; one that holds its NMIs back is left out.
void stop_other_cpus() {
    constexpr unsigned kPatience = 10'000'000;
    for (unsigned i = 0; i < cpu_count(); ++i) {
        Cpu& cpu = cpu_at(i);
        if (!(cpu.online || cpu.running) || cpu.apic_id == physical_apic_id())
            continue;
        answered = false;
        send_ipi(cpu.apic_id, Ipi::Nmi);
        for (unsigned spin = 0; spin < kPatience && !answered; ++spin)
            pause();
        if (!answered)
            log("CPU {} does not answer", i);
    }
}

void load_idt() {
    for (unsigned i = 0; i < kVectors; ++i) {
        const u64 stub = exception_stubs[i];
        idt[i] = {static_cast<u16>(stub),
                  kCodeSelector,
                  0,
                  0x8e /* present interrupt gate */,
                  static_cast<u16>(stub >> 16),
                  static_cast<u32>(stub >> 32),
                  0};
    }
    struct [[gnu::packed]] {
        u16 limit;
        const Gate* base;
    } const pointer{sizeof idt - 1, idt};
    asm volatile("lidt %0" : : "m"(pointer));
}

}  // namespace skep::hv
