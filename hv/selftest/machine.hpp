// The machine as a payload finds it: serial port, exception vectors, hv, a periodic tick, the end.
#pragma once

#include "hv/lib/types.hpp"

namespace skep::hv::selftest {

// Serial port, vectors, firmware's interrupts off; ends the machine if hv is not there.
void set_up_machine();

// A periodic local APIC interrupt on vector 32 of the calling CPU, every `count` of its timer
// (1,000,000 is about 1 ms in an emulator).
void start_ticks(u32 count = 1'000'000);
void stop_ticks();
void end_tick();
// By software, as a CPU's has to be before interrupts reach it.
void enable_local_apic();
// Interrupts another CPU; `command`: the low half of the ICR, by default vector 32.
void send_to_cpu(u32 apic_id, u32 command = 0x4020);

// QEMU's own processor (TCG): it does not load a VMCB's interrupt shadow and lets XSETBV through.
bool on_qemu();

// Turns the machine off; 0 failed: exit status 33 of QEMU with isa-debug-exit at 0xf4.
[[noreturn]] void end(unsigned failed);

}  // namespace skep::hv::selftest
