// What little leaves the root domain: hypercalls, CPUID, the virtualization MSRs and instructions,
// NMIs.
#pragma once

#include "hv/cpu/cpu.hpp"

namespace skep::hv {

void handle_root_exit(Cpu& cpu, HardwareVcpu& root, const Exit& exit);

}  // namespace skep::hv
