// The machine as a payload finds it: serial port, exception vectors, hv, a periodic tick, the end.
#pragma once

namespace skep::hv::selftest {

// Serial port, vectors, firmware's interrupts off; ends the machine if hv is not there.
void set_up_machine();

// A periodic local APIC interrupt on vector 32, about 1 ms in an emulator.
void start_ticks();
void end_tick();

// Turns the machine off; 0 failed: exit status 33 of QEMU with isa-debug-exit at 0xf4.
[[noreturn]] void end(unsigned failed);

}  // namespace skep::hv::selftest
