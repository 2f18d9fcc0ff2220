// Instructions that C++ has no word for: ports (port_io.hpp), MSRs, control registers, CPUID,
// interrupt masking.
#pragma once

#include <kernel/dev/port_io.hpp>

#include <cstdint>

namespace skep::kernel {

// SDM vol. 4, chapter 2; APM vol. 2, appendix A.
enum class Msr : std::uint32_t {
    ApicBase = 0x1b,
    TscAdjust = 0x3b,
    Pat = 0x277,
    TscDeadline = 0x6e0,
    X2Apic = 0x800,
    Efer = 0xc0000080,
    Star = 0xc0000081,
    Lstar = 0xc0000082,
    Fmask = 0xc0000084,
    FsBase = 0xc0000100,
    GsBase = 0xc0000101,
    KernelGsBase = 0xc0000102,
};

inline std::uint64_t read_msr(Msr msr, std::uint32_t offset = 0) {
    std::uint32_t low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(static_cast<std::uint32_t>(msr) + offset));
    return static_cast<std::uint64_t>(high) << 32 | low;
}
inline void write_msr(Msr msr, std::uint64_t value, std::uint32_t offset = 0) {
    asm volatile("wrmsr"
                 :
                 : "a"(static_cast<std::uint32_t>(value)),
                   "d"(static_cast<std::uint32_t>(value >> 32)),
                   "c"(static_cast<std::uint32_t>(msr) + offset)
                 : "memory");
}

inline std::uint64_t read_tsc() {
    std::uint32_t low, high;
    asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return static_cast<std::uint64_t>(high) << 32 | low;
}

inline std::uint64_t read_cr2() {
    std::uint64_t value;
    asm volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}
inline std::uint64_t read_cr3() {
    std::uint64_t value;
    asm volatile("mov %%cr3, %0" : "=r"(value));
    return value;
}
inline void write_cr3(std::uint64_t value) {
    asm volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}
inline constexpr std::uint64_t kCr0Ts = 1 << 3;
inline std::uint64_t read_cr0() {
    std::uint64_t value;
    asm volatile("mov %%cr0, %0" : "=r"(value));
    return value;
}
inline constexpr std::uint64_t kCr4Pge = 1 << 7;
inline constexpr std::uint64_t kCr4OsFxsr = 1 << 9;
inline constexpr std::uint64_t kCr4OsXmmExcpt = 1 << 10;
inline constexpr std::uint64_t kCr4Umip = 1 << 11;
inline constexpr std::uint64_t kCr4FsGsBase = 1 << 16;
inline constexpr std::uint64_t kCr4OsXsave = 1 << 18;
inline constexpr std::uint64_t kCr4Smep = 1 << 20;
inline constexpr std::uint64_t kCr4Smap = 1 << 21;
inline std::uint64_t read_cr4() {
    std::uint64_t value;
    asm volatile("mov %%cr4, %0" : "=r"(value));
    return value;
}
inline void write_cr4(std::uint64_t value) {
    asm volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}
inline void flush_tlb_page(std::uint64_t address) {
    asm volatile("invlpg (%0)" : : "r"(address) : "memory");
}

struct CpuidResult {
    std::uint32_t eax, ebx, ecx, edx;
};
inline CpuidResult cpuid(std::uint32_t leaf, std::uint32_t subleaf = 0) {
    CpuidResult r;
    asm volatile("cpuid"
                 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                 : "a"(leaf), "c"(subleaf));
    return r;
}

inline constexpr std::uint64_t kRflagsCarry = 1 << 0;
inline constexpr std::uint64_t kRflagsTrap = 1 << 8;
inline constexpr std::uint64_t kRflagsInterrupt = 1 << 9;
inline constexpr std::uint64_t kRflagsDirection = 1 << 10;
inline constexpr std::uint64_t kRflagsNestedTask = 1 << 14;
inline constexpr std::uint64_t kRflagsAlignment = 1 << 18;

inline bool interrupts_enabled() {
    std::uint64_t flags;
    asm volatile("pushfq; popq %0" : "=r"(flags));
    return flags & kRflagsInterrupt;
}
inline void disable_interrupts() {
    asm volatile("cli" : : : "memory");
}
inline void enable_interrupts() {
    asm volatile("sti" : : : "memory");
}
// Masks interrupts; returns whether they were on.
inline bool save_interrupts() {
    bool on = interrupts_enabled();
    disable_interrupts();
    return on;
}
inline void restore_interrupts(bool on) {
    if (on)
        enable_interrupts();
}
inline void pause() {
    asm volatile("pause");
}
// Interrupts on and sleep until the next one, without a gap in between (SDM vol. 2B, STI).
inline void enable_interrupts_and_halt() {
    asm volatile("sti; hlt" : : : "memory");
}

// Interrupts masked for a scope.
class [[nodiscard]] InterruptsOff {
  public:
    InterruptsOff() : on_(save_interrupts()) {}
    ~InterruptsOff() { restore_interrupts(on_); }
    InterruptsOff(const InterruptsOff&) = delete;
    InterruptsOff& operator=(const InterruptsOff&) = delete;

  private:
    bool on_;
};

}  // namespace skep::kernel
