// What guest code written as functions of the payload uses (Guest::start_function): checks, its
// local APIC, its interrupt flag. Runs in a guest, never in the root domain.
#pragma once

#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/guest/local_apic.hpp"

#include <atomic>

namespace skep::hv::selftest::inside {

// What the processor pushes (SDM vol. 3, figure 6-9).
struct Frame {
    u64 rip, cs, rflags, rsp, ss;
};

// A check that fails leaves for the test, which prints it and goes on (run_checked).
inline constexpr u16 kCheckPort = 0xfe;
inline void fail(const char* file, u64 line, const char* what) {
    asm volatile("outb %%al, %0"
                 :
                 : "N"(kCheckPort), "a"(0), "D"(file), "S"(line), "d"(what)
                 : "memory");
}

// Leaves for the test, with a number.
inline void leave(u64 number) {
    asm volatile("outb %%al, $0x80" : : "a"(number) : "memory");
}

inline void enable_interrupts() {
    asm volatile("sti" : : : "memory");
}
inline void disable_interrupts() {
    asm volatile("cli" : : : "memory");
}
// STI; HLT; CLI: the shadow closes the gap.
inline void wait_for_interrupt() {
    asm volatile("sti; hlt; cli" : : : "memory");
}

// The local APIC in the mode it is in.
class Apic {
  public:
    static Apic enable_x() {
        write_msr(msr::kApicBase, apic::kBaseDefault | apic::kBaseEnable | boot());
        return start(false);
    }
    static Apic enable_x2() {
        write_msr(msr::kApicBase, apic::kBaseDefault | apic::kBaseEnable | apic::kBaseX2 | boot());
        return start(true);
    }

    u64 read(u32 offset) const {
        return x2_ ? read_msr(0x800 + offset / 16)
                   : *reinterpret_cast<volatile u32*>(apic::kBaseDefault + offset);
    }
    void write(u32 offset, u64 value) const {
        if (x2_)
            write_msr(0x800 + offset / 16, value);
        else
            *reinterpret_cast<volatile u32*>(apic::kBaseDefault + offset) = static_cast<u32>(value);
    }
    void end_of_interrupt() const { write(apic::kEoi, 0); }
    u32 id() const { return static_cast<u32>(x2_ ? read(apic::kId) : read(apic::kId) >> 24); }
    // `command`: the low half of the ICR.
    void send(u32 destination, u32 command) const {
        if (x2_) {
            write(apic::kIcrLow, static_cast<u64>(destination) << 32 | command);
            return;
        }
        write(apic::kIcrHigh, destination << 24);
        write(apic::kIcrLow, command);
    }
    bool x2() const { return x2_; }

  private:
    static u64 boot() { return read_msr(msr::kApicBase) & apic::kBaseBoot; }
    static Apic start(bool x2) {
        Apic apic;
        apic.x2_ = x2;
        apic.write(apic::kSvr, 0x1ff);
        return apic;
    }

    bool x2_ = false;
};

}  // namespace skep::hv::selftest::inside

#define GUEST_CHECK(condition)                                                  \
    do {                                                                        \
        if (!(condition))                                                       \
            ::skep::hv::selftest::inside::fail(__FILE__, __LINE__, #condition); \
    } while (false)
