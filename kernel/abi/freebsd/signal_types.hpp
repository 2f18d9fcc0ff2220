// Signals as FreeBSD/amd64 programs see them: sys/signal.h, sys/_ucontext.h, machine/ucontext.h,
// machine/sigframe.h.
#pragma once

#include <kernel/proc/signal_state.hpp>

#include <cstddef>

namespace skep::kernel::freebsd_abi {

// Signal n is bit n - 1.
struct BsdSignalSet {
    std::uint32_t words[4];
    bool operator==(const BsdSignalSet&) const = default;
};
BsdSignalSet to_bsd_set(const SignalSet&);
SignalSet from_bsd_set(const BsdSignalSet&);

struct BsdSignalInfo {
    std::int32_t signal, error, code, process;
    std::uint32_t user;
    std::int32_t status;
    std::uint64_t address, value;
    std::int32_t trap;
    std::uint32_t reason[9];
};
static_assert(sizeof(BsdSignalInfo) == 80 && offsetof(BsdSignalInfo, trap) == 40);
BsdSignalInfo to_bsd_info(const SignalInfo&);

// Of si_code, where it is not a fault's or a child's own number.
enum : std::int32_t {
    kCodeUser = 0x10001,
    kCodeQueue = 0x10002,
    kCodeTimer = 0x10003,
    kCodeKernel = 0x10006,
    kCodeThread = 0x10007
};

struct BsdSignalAction {
    std::uint64_t handler;
    std::int32_t flags;
    BsdSignalSet mask;
    std::uint32_t padding;
};
static_assert(sizeof(BsdSignalAction) == 32);

struct BsdStack {
    std::uint64_t base, size;
    std::int32_t flags, padding;
};
static_assert(sizeof(BsdStack) == 24);
inline constexpr std::int32_t kStackOnStack = 1, kStackDisable = 4;
inline constexpr std::uint64_t kMinStackSize = 2048;  // MINSIGSTKSZ

// What of mcontext_t's floating-point state is there.
inline constexpr std::uint64_t kFloatNone = 0x10000, kFloatXmm = 0x10002,
                               kFloatOwnedByPcb = 0x20002, kFloatUnowned = 0x20000;
inline constexpr std::uint32_t kContextHasSegments = 1, kContextHasBases = 2,
                               kContextHasExtended = 4;

struct alignas(16) MachineContext {
    std::uint64_t on_stack;
    std::uint64_t rdi, rsi, rdx, rcx, r8, r9, rax, rbx, rbp, r10, r11, r12, r13, r14, r15;
    std::uint32_t trap;
    std::uint16_t fs, gs;
    std::uint64_t address;
    std::uint32_t flags;
    std::uint16_t es, ds;
    std::uint64_t error, rip, cs, rflags, rsp, ss;
    std::uint64_t size;  // sizeof this
    std::uint64_t float_format, float_owner;
    alignas(16) std::byte float_state[512];  // FXSAVE
    std::uint64_t fs_base, gs_base;
    std::uint64_t extended, extended_size;  // the rest of the XSAVE area, elsewhere
    std::uint64_t spare[4];
};
static_assert(sizeof(MachineContext) == 800);
static_assert(offsetof(MachineContext, rip) == 160 &&
              offsetof(MachineContext, float_state) == 224 &&
              offsetof(MachineContext, fs_base) == 736);

struct UserContext {
    BsdSignalSet mask;
    MachineContext machine;
    std::uint64_t link;
    BsdStack stack;
    std::int32_t flags;
    std::int32_t spare[4];
};
static_assert(sizeof(UserContext) == 880 && offsetof(UserContext, stack) == 824);

struct SignalFrame {
    std::uint64_t handler;  // what the trampoline calls
    std::uint64_t padding;
    UserContext context;
    BsdSignalInfo info;
};
static_assert(sizeof(SignalFrame) == 976 && offsetof(SignalFrame, context) == 16);

// machine/trap.h. What an exception's vector becomes; 0 for others.
std::uint32_t to_bsd_trap(std::uint32_t vector);

}  // namespace skep::kernel::freebsd_abi
