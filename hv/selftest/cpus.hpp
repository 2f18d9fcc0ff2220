// The other CPUs of the machine, for tests: each runs one function at a time.
#pragma once

#include "hv/lib/types.hpp"

namespace skep::hv::selftest {

// Starts (once) every other CPU by hypercall; returns how many CPUs there are.
unsigned start_all_cpus();
// Runs `function(argument)` on CPU `cpu` (1..); `wait_for` returns when it is done.
void run_on(unsigned cpu, void (*function)(u64), u64 argument);
bool done(unsigned cpu);
void wait_for(unsigned cpu);

}  // namespace skep::hv::selftest
