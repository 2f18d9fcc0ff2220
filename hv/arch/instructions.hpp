// Single instructions as functions. Nothing here decides anything.
#pragma once

#include "hv/lib/types.hpp"

namespace skep::hv {

inline void out8(u16 port, u8 value) {
    asm volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
inline u8 in8(u16 port) {
    u8 value;
    asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

inline u64 read_msr(u32 index) {
    u32 low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
    return static_cast<u64>(high) << 32 | low;
}
inline void write_msr(u32 index, u64 value) {
    asm volatile("wrmsr"
                 :
                 : "c"(index), "a"(static_cast<u32>(value)), "d"(static_cast<u32>(value >> 32))
                 : "memory");
}

struct CpuidResult {
    u32 eax, ebx, ecx, edx;
};
inline CpuidResult cpuid(u32 leaf, u32 subleaf = 0) {
    CpuidResult r;
    asm volatile("cpuid"
                 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                 : "a"(leaf), "c"(subleaf));
    return r;
}

inline u64 read_tsc() {
    u32 low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return static_cast<u64>(high) << 32 | low;
}

#define HV_REGISTER(name)                                           \
    inline u64 read_##name() {                                      \
        u64 value;                                                  \
        asm volatile("mov %%" #name ", %0" : "=r"(value));          \
        return value;                                               \
    }                                                               \
    inline void write_##name(u64 value) {                           \
        asm volatile("mov %0, %%" #name : : "r"(value) : "memory"); \
    }
HV_REGISTER(cr0)
HV_REGISTER(cr2)
HV_REGISTER(cr3)
HV_REGISTER(cr4)
HV_REGISTER(dr0)
HV_REGISTER(dr1)
HV_REGISTER(dr2)
HV_REGISTER(dr3)
HV_REGISTER(dr6)
#undef HV_REGISTER

// The lower half: hv lets nobody set a bit of the upper one.
inline u64 read_xcr0() {
    u64 low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}
inline void write_xcr0(u64 value) {
    asm volatile("xsetbv"
                 :
                 : "c"(0), "a"(static_cast<u32>(value)), "d"(static_cast<u32>(value >> 32)));
}
// All components of XCR0; `area` is aligned to 64 bytes.
inline void xsave(void* area) {
    asm volatile("xsave64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
}
inline void xrstor(const void* area) {
    asm volatile("xrstor64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
}

inline void copy_words(u64* to, const u64* from, u64 count) {
    asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

inline void pause() {
    asm volatile("pause");
}
[[noreturn]] inline void halt_forever() {
    for (;;)
        asm volatile("cli; hlt");
}

}  // namespace skep::hv
