// A small guest: one VM with a few vCPUs and RAM, code copied in, run until an exit.
#pragma once

#include "hv/selftest/hypercalls.hpp"

#include <initializer_list>
#include <span>

namespace skep::hv::selftest {

// Code between two labels of guest_code.S, to run at kCode.
struct Code {
    const u8 *begin, *end;
};

// Memory for more than a guest's RAM: 64 MiB of the root domain's, which nobody else uses.
inline constexpr u64 kArena = 128 << 20, kArenaSize = 64 << 20;

inline constexpr u64 kAllAccess = abi::kRead | abi::kWrite | abi::kExecute;

class Guest {
  public:
    static constexpr u64 kRam = 2 << 20;   // at 0
    static constexpr u64 kCode = 0x10000;  // also the real-mode segment 0x1000
    static constexpr u64 kStack = 0x9000;
    static constexpr u64 kTables =
        0x20000;  // page tables of the guest: identity, low GiB and APIC's
    static constexpr u64 kIdt = 0x30000;
    static constexpr u64 kGdt = 0x31000;
    static constexpr u64 kResults = 0x40000;

    // `slot` chooses the backing RAM, 0..3: two guests at a time need different ones.
    explicit Guest(unsigned slot = 0, unsigned vcpus = 1);
    ~Guest();
    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;

    u64 id() const { return id_; }
    u8* ram() const { return ram_; }
    template <class T = u64>
    volatile T& result(unsigned index) const {
        return reinterpret_cast<volatile T*>(ram_ + kResults)[index];
    }
    abi::VcpuPage& page(unsigned vcpu = 0) const;

    void set_cpuid();  // all that hv supports of a few leaves
    void load(Code code, u64 address = kCode);
    // Starts `vcpu` at kCode in either mode; segments flat (64-bit) or 0x1000:0 (16-bit).
    void start_real(unsigned vcpu = 0);
    void start_long(unsigned vcpu = 0);
    void set_vector(u8 vector, u64 handler);
    // Long mode, in a function of the payload, whose image the guest then sees at its own
    // addresses; its return halts with interrupts off.
    void start_function(void (*function)(u64), u64 argument = 0, unsigned vcpu = 0);

    abi::ExitReason run(unsigned vcpu = 0);
    // Runs on through Interrupted, TimerArmed and a Hlt that has a deadline.
    abi::ExitReason run_timed(unsigned vcpu = 0);
    // As run_timed, and prints the checks of code that uses inside.hpp.
    abi::ExitReason run_checked(unsigned vcpu = 0);
    // Marks the instruction of an Io or Msr exit as done, with `rax` (and `rdx`) as the result.
    void complete(unsigned vcpu = 0);

    u64 get(abi::Field field, unsigned vcpu = 0) const;
    i64 set(std::initializer_list<abi::FieldValue> fields, unsigned vcpu = 0);

  private:
    u64 id_ = 0;
    u8* ram_;
    unsigned slot_, vcpus_;
    bool image_mapped_ = false;
};

const char* name_of(abi::ExitReason reason);

}  // namespace skep::hv::selftest
