// CPUID feature bits that a guest may have, by name (SDM vol. 2, CPUID; APM vol. 3, appendix E).
//
// Left out on purpose: what needs MSRs or controls that nobody virtualizes (VMX, SVM, MONITOR,
// performance counters, power, machine check, SGX, CET, speculation control), and AVX-512, which
// few hosts share.
#pragma once

#include <cstdint>
#include <string_view>

namespace skep::guestdev {

enum class Output : std::uint8_t {
    Eax,
    Ebx,
    Ecx,
    Edx
};

struct Feature {
    std::uint32_t leaf, subleaf;
    Output output;
    unsigned bit;
    std::string_view name;
};

inline constexpr Feature kFeatures[] = {
    {1, 0, Output::Edx, 0, "FPU"},
    {1, 0, Output::Edx, 1, "VME"},
    {1, 0, Output::Edx, 2, "DE"},
    {1, 0, Output::Edx, 3, "PSE"},
    {1, 0, Output::Edx, 4, "TSC"},
    {1, 0, Output::Edx, 5, "MSR"},
    {1, 0, Output::Edx, 6, "PAE"},
    {1, 0, Output::Edx, 8, "CX8"},
    {1, 0, Output::Edx, 9, "APIC"},
    {1, 0, Output::Edx, 11, "SEP"},
    {1, 0, Output::Edx, 12, "MTRR"},
    {1, 0, Output::Edx, 13, "PGE"},
    {1, 0, Output::Edx, 15, "CMOV"},
    {1, 0, Output::Edx, 16, "PAT"},
    {1, 0, Output::Edx, 17, "PSE36"},
    {1, 0, Output::Edx, 19, "CLFLUSH"},
    {1, 0, Output::Edx, 23, "MMX"},
    {1, 0, Output::Edx, 24, "FXSR"},
    {1, 0, Output::Edx, 25, "SSE"},
    {1, 0, Output::Edx, 26, "SSE2"},
    {1, 0, Output::Ecx, 0, "SSE3"},
    {1, 0, Output::Ecx, 1, "PCLMULQDQ"},
    {1, 0, Output::Ecx, 9, "SSSE3"},
    {1, 0, Output::Ecx, 12, "FMA"},
    {1, 0, Output::Ecx, 13, "CX16"},
    {1, 0, Output::Ecx, 19, "SSE4.1"},
    {1, 0, Output::Ecx, 20, "SSE4.2"},
    {1, 0, Output::Ecx, 21, "x2APIC"},
    {1, 0, Output::Ecx, 22, "MOVBE"},
    {1, 0, Output::Ecx, 23, "POPCNT"},
    {1, 0, Output::Ecx, 24, "TSC-deadline"},
    {1, 0, Output::Ecx, 25, "AES"},
    {1, 0, Output::Ecx, 26, "XSAVE"},
    {1, 0, Output::Ecx, 28, "AVX"},
    {1, 0, Output::Ecx, 29, "F16C"},
    {1, 0, Output::Ecx, 30, "RDRAND"},
    {7, 0, Output::Ebx, 0, "FSGSBASE"},
    {7, 0, Output::Ebx, 1, "TSC_ADJUST"},
    {7, 0, Output::Ebx, 3, "BMI1"},
    {7, 0, Output::Ebx, 5, "AVX2"},
    {7, 0, Output::Ebx, 7, "SMEP"},
    {7, 0, Output::Ebx, 8, "BMI2"},
    {7, 0, Output::Ebx, 9, "ERMS"},
    {7, 0, Output::Ebx, 18, "RDSEED"},
    {7, 0, Output::Ebx, 19, "ADX"},
    {7, 0, Output::Ebx, 20, "SMAP"},
    {7, 0, Output::Ebx, 23, "CLFLUSHOPT"},
    {7, 0, Output::Ebx, 24, "CLWB"},
    {7, 0, Output::Ebx, 29, "SHA"},
    {7, 0, Output::Ecx, 2, "UMIP"},
    {7, 0, Output::Edx, 4, "FSRM"},
    {0xd, 1, Output::Eax, 0, "XSAVEOPT"},
    {0xd, 1, Output::Eax, 2, "XGETBV1"},
    {0x8000'0001, 0, Output::Ecx, 0, "LAHF"},
    {0x8000'0001, 0, Output::Ecx, 5, "ABM"},
    {0x8000'0001, 0, Output::Ecx, 8, "3DNOWPREFETCH"},
    {0x8000'0001, 0, Output::Edx, 11, "SYSCALL"},
    {0x8000'0001, 0, Output::Edx, 20, "NX"},
    {0x8000'0001, 0, Output::Edx, 26, "1GB-pages"},
    {0x8000'0001, 0, Output::Edx, 27, "RDTSCP"},
    {0x8000'0001, 0, Output::Edx, 29, "LM"},
};

// x87, SSE, AVX: the XCR0 bits that a guest may set.
inline constexpr std::uint64_t kXcr0Allowed = 0x7;

// The leaves by which guests recognize where they run. They speak KVM's interface, which Linux and
// FreeBSD honour: of it, the clock (Linux, Documentation/virt/kvm/x86/cpuid.rst).
inline constexpr std::uint32_t kHypervisorLeaf = 0x4000'0000;
inline constexpr std::uint32_t kKvmClockSource2 = 1 << 3, kKvmNoIoDelay = 1 << 1,
                               kKvmClockStable = 1 << 24;

}  // namespace skep::guestdev
