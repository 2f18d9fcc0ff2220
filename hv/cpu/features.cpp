#include "hv/cpu/features.hpp"

#include "hv/arch/instructions.hpp"

namespace skep::hv {

namespace {
bool tsc_aux;
unsigned bits = 36;
}  // namespace

void read_cpu_features() {
    constexpr unsigned kRdtscp = 27, kRdpid = 22;
    tsc_aux = (cpuid(0x8000'0001).edx >> kRdtscp & 1) != 0 || (cpuid(7).ecx >> kRdpid & 1) != 0;
    if (cpuid(0x8000'0000).eax >= 0x8000'0008)
        bits = cpuid(0x8000'0008).eax & 0xff;
}

bool has_tsc_aux() {
    return tsc_aux;
}
unsigned physical_bits() {
    return bits;
}

}  // namespace skep::hv
