// One physical CPU: its stack, its descriptor tables and what runs on it.
//
// The stack is aligned to its size and the Cpu's address is in its last word, so `Cpu::current()`
// needs no segment register; FS and GS therefore never have to be switched for hv.
#pragma once

#include "hv/cpu/backend.hpp"
#include "hv/lib/types.hpp"

#include <array>
#include <atomic>

namespace skep::hv {

inline constexpr unsigned kMaxCpus = 64;
inline constexpr u64 kStackSize = 16384;

// SDM vol. 3, 8.7: only there because VT-x wants a task register on exit.
struct [[gnu::packed]] TaskState {
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3, io_map_base;
};
static_assert(sizeof(TaskState) == 104);

// Where a CPU enters the root domain, in the Multiboot2 machine state.
struct RootEntry {
    u32 eip, eax, ebx;
};

// What the hypercall Stats adds up.
struct CpuCounters {
    u64 root_exits = 0, root_violations = 0, hypercalls = 0, hypercalls_refused = 0,
        guest_exits_handled = 0;
    std::array<u64, abi::kExitReasons> guest_exits{};
};

struct Cpu {
    unsigned index = 0;
    u32 apic_id = 0;
    HardwareVcpu* root = nullptr;
    CpuCounters counters;
    u64 memory_violations = 0;

    std::atomic<bool> online{false};    // parked, or beyond
    std::atomic<bool> released{false};  // `entry` is set
    std::atomic<bool> running{false};   // in the root domain
    RootEntry entry{};
    // hv owns NMIs: one that arrives is hv's own if somebody set `kicked` before sending it (to
    // make a guest leave), else the root domain has yet to take it.
    std::atomic<bool> kicked{false};
    // What this CPU has taken from its local APIC and the root domain has yet to get. An interrupt
    // among it is in service there: the root domain's handler will end it.
    static constexpr u8 kPendingNmi = 1, kPendingInterrupt = 2;
    std::atomic<u8> pending{0};
    u8 pending_vector = 0;
    void hold_interrupt(u8 vector) {
        pending_vector = vector;
        pending |= kPendingInterrupt;
    }
    u64 root_tsc_aux = 0;  // IA32_TSC_AUX of the root domain, which leaves to write it
    // Frames were withdrawn from the root domain: what its TLB knows has to go before it runs on
    // here. Taken with the NMI that follows.
    std::atomic<bool> drop_translations{false};
    void take_requests() {
        if (drop_translations) {
            root->flush_tlb();
            drop_translations = false;
        }
    }

    std::array<u64, 7> gdt{};
    TaskState task_state{};

    static Cpu& current() {
        u64 rsp;
        asm("mov %%rsp, %0" : "=r"(rsp));
        return **reinterpret_cast<Cpu**>((rsp | (kStackSize - 1)) - 7);
    }
    u8* stack_top();
};

inline constexpr u16 kCodeSelector = 0x08, kDataSelector = 0x10, kTaskSelector = 0x28;

Cpu& cpu_at(unsigned index);
unsigned cpu_count();
void set_cpu_count(unsigned count);

// Stores the Cpu's address in its stack; before anything runs there.
void prepare_cpu(unsigned index, u32 apic_id);
// On the CPU itself: descriptor tables, control registers, hv's page tables.
void init_cpu(Cpu& cpu);

extern "C" u8 cpu_stacks[kMaxCpus][kStackSize];

}  // namespace skep::hv
