// Exceptions and interrupts as the entry code of trap_entry.S hands them over.
#pragma once

#include <kernel/arch/x86_64/offsets.h>

#include <cstddef>
#include <cstdint>

namespace skep::kernel {

struct TrapFrame {
    std::uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    std::uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
    std::uint64_t vector, error;
    std::uint64_t rip, cs, rflags, rsp, ss;

    bool from_user() const { return cs & 3; }
    // SYSRET restores what SYSCALL left; a frame rewritten by exec or sigreturn needs IRET.
    void use_iret() { vector = SYSCALL_VECTOR + 1; }
};
static_assert(offsetof(TrapFrame, rbp) == FRAME_RBP);
static_assert(offsetof(TrapFrame, vector) == FRAME_VECTOR);
static_assert(offsetof(TrapFrame, cs) == FRAME_CS);
static_assert(sizeof(TrapFrame) == FRAME_SIZE);

// SDM vol. 3, table 6-1.
enum class TrapVector : std::uint8_t {
    DivideError = 0,
    Debug = 1,
    Nmi = 2,
    Breakpoint = 3,
    Overflow = 4,
    BoundRange = 5,
    InvalidOpcode = 6,
    DeviceNotAvailable = 7,
    DoubleFault = 8,
    InvalidTss = 10,
    SegmentNotPresent = 11,
    StackFault = 12,
    GeneralProtection = 13,
    PageFault = 14,
    FloatingPoint = 16,
    AlignmentCheck = 17,
    MachineCheck = 18,
    SimdFloatingPoint = 19,
};

// Page-fault error code, SDM vol. 3, 4.7.
inline constexpr std::uint64_t kFaultPresent = 1;
inline constexpr std::uint64_t kFaultWrite = 2;
inline constexpr std::uint64_t kFaultUser = 4;
inline constexpr std::uint64_t kFaultReserved = 8;
inline constexpr std::uint64_t kFaultFetch = 16;

inline constexpr std::uint8_t kFirstExternalVector = 0x20;
// Vectors of our own: devices 0x30..0xdf, then inter-processor and local ones.
inline constexpr std::uint8_t kFirstDeviceVector = 0x30;
inline constexpr std::uint8_t kLastDeviceVector = 0xdf;
inline constexpr std::uint8_t kTimerVector = 0xf0;
inline constexpr std::uint8_t kRescheduleVector = 0xf1;
inline constexpr std::uint8_t kTlbVector = 0xf2;
inline constexpr std::uint8_t kStopVector = 0xf3;
inline constexpr std::uint8_t kSpuriousVector = 0xff;

void load_idt();

// Prints registers and a backtrace. The frame-pointer chain starts at `rbp`.
void print_registers(const TrapFrame& frame);
void print_backtrace(std::uint64_t rip, std::uint64_t rbp);

}  // namespace skep::kernel
