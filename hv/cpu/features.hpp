// What this machine's CPUs can do, read once.
#pragma once

namespace skep::hv {

void read_cpu_features();

bool has_tsc_aux();        // RDTSCP or RDPID: IA32_TSC_AUX exists
unsigned physical_bits();  // MAXPHYADDR

}  // namespace skep::hv
