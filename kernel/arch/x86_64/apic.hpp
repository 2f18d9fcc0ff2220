// The local APIC: end of interrupt, timer, inter-processor interrupts (SDM vol. 3, chapter 11).
#pragma once

#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/mm/physical.hpp>
#include <kernel/sync/wait.hpp>

namespace skep::kernel {

// On the boot CPU, once: maps the registers (or finds x2APIC enabled).
void init_local_apic(PhysAddr registers);
// On every CPU: spurious vector, all LINTs masked, timer stopped.
void enable_local_apic();
std::uint32_t local_apic_id();
void end_of_interrupt();

// Measures the timer against the TSC. Interrupts masked.
void calibrate_apic_timer();
// One timer interrupt at the deadline (monotonic), or none for kForever. Interrupts masked.
void program_timer(Nanoseconds deadline);

void send_interrupt(const Cpu& cpu, std::uint8_t vector);
void send_interrupt_to_others(std::uint8_t vector);
void send_init(std::uint32_t apic_id);
void send_startup(std::uint32_t apic_id, std::uint8_t page);

}  // namespace skep::kernel
