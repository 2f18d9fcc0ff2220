// What each CPU has for itself, found through GS.
#pragma once

#include <kernel/arch/x86_64/offsets.h>
#include <kernel/sync/held_locks.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace skep::kernel {

class Thread;
class VmMap;
class RunQueue;
class TimerQueue;

inline constexpr std::uint32_t kMaxCpus = 64;

// Task-state segment, SDM vol. 3, figure 8-11.
struct [[gnu::packed]] TaskState {
    std::uint32_t reserved0;
    std::uint64_t rsp[3];
    std::uint64_t reserved1;
    std::uint64_t ist[7];
    std::uint64_t reserved2;
    std::uint16_t reserved3;
    std::uint16_t io_map_base;
};
static_assert(sizeof(TaskState) == 104);

struct Cpu {
    Cpu* self;
    Thread* thread;
    std::uint64_t kernel_stack;  // RSP that SYSCALL starts with: the top of the thread's stack
    std::uint64_t user_rsp;      // scratch of syscall_entry

    std::uint32_t number;
    std::uint32_t apic_id;
    bool reschedule;               // switch at the next opportunity; own CPU only
    std::uint32_t preempt_off;     // > 0: interrupts are served, but this thread stays
    std::uint64_t timer_deadline;  // what the local APIC timer is set to
    bool migrate;                  // who is switched away from belongs on another CPU
    std::atomic<bool> online;
    RunQueue* run_queue;
    TimerQueue* timers;
    Thread* idle;
    Thread* previous;           // who was switched away from, for thread_started()
    VmMap* map;                 // loaded in CR3 (counted reference), or null: kernel's own
    bool map_idle;              // left since; then
    std::uint64_t map_changes;  // is how many changes to it this CPU knows

    HeldSpinLocks held_spin_locks;  // in test builds

    TaskState tss;
    std::uint64_t gdt[8];
};
static_assert(offsetof(Cpu, self) == CPU_SELF);
static_assert(offsetof(Cpu, thread) == CPU_THREAD);
static_assert(offsetof(Cpu, kernel_stack) == CPU_KERNEL_STACK);
static_assert(offsetof(Cpu, user_rsp) == CPU_USER_RSP);

extern Cpu* cpus[kMaxCpus];      // null: no such CPU
extern std::uint32_t cpu_count;  // found; entries 0..cpu_count-1 of cpus

// Only with interrupts masked, or preempt_off: else the thread may move to another CPU meanwhile.
inline Cpu& this_cpu() {
    Cpu* cpu;
    asm volatile("movq %%gs:%c1, %0" : "=r"(cpu) : "i"(CPU_SELF));
    return *cpu;
}

// The calling thread stays on its CPU for a scope; interrupts are served.
class [[nodiscard]] PreemptOff {
  public:
    PreemptOff() { asm volatile("incl %%gs:%c0" : : "i"(offsetof(Cpu, preempt_off)) : "memory"); }
    ~PreemptOff() { asm volatile("decl %%gs:%c0" : : "i"(offsetof(Cpu, preempt_off)) : "memory"); }
    PreemptOff(const PreemptOff&) = delete;
    PreemptOff& operator=(const PreemptOff&) = delete;
};

// GDT, TSS, IDT, GS base, SYSCALL MSRs, CR4 features of the calling CPU.
void init_this_cpu(Cpu& cpu);

// The stacks of NMI, double fault and machine check; false: no memory.
bool allocate_trap_stacks(Cpu& cpu);
// WRFSBASE and WRGSBASE work in user mode: the registers know the bases, not the kernel.
extern bool programs_set_bases;

// For a panic: the others halt for good.
void stop_other_cpus();

}  // namespace skep::kernel
