// The virtual machine control block, APM vol. 2, appendix B.
#pragma once

#include "hv/lib/types.hpp"

#include <cstddef>

namespace skep::hv::svm {

// Table B-1, offset 00Ch.
namespace intercept1 {
inline constexpr u32 kIntr = 1u << 0, kNmi = 1u << 1, kInit = 1u << 3, kVintr = 1u << 4,
                     kRdpmc = 1u << 15, kCpuid = 1u << 18, kIret = 1u << 20, kInvd = 1u << 22,
                     kHlt = 1u << 24, kInvlpga = 1u << 26, kIoio = 1u << 27, kMsr = 1u << 28,
                     kShutdown = 1u << 31;
}
// Offset 010h.
namespace intercept2 {
inline constexpr u32 kVmrun = 1u << 0, kVmmcall = 1u << 1, kVmload = 1u << 2, kVmsave = 1u << 3,
                     kStgi = 1u << 4, kClgi = 1u << 5, kSkinit = 1u << 6, kWbinvd = 1u << 9,
                     kMonitor = 1u << 10, kMwait = 1u << 11, kXsetbv = 1u << 13;
}
// Offset 060h.
namespace interrupt_control {
inline constexpr u64 kTprMask = 0xff, kIrq = 1u << 8, kPriorityMax = 0xfu << 16,
                     kIgnoreTpr = 1u << 20, kMasking = 1u << 24;
}

inline constexpr u32 kWriteCr8 = 1u << 24;  // offset 000h
inline constexpr u32 kDebugRegisters =
    0x008f'008f;  // offset 004h: DR0-DR3 and DR7, reads and writes

enum class TlbControl : u8 {
    None = 0,
    FlushAll = 1,
    FlushGuest = 3
};

// Appendix C.
enum class ExitCode : u64 {
    WriteCr8 = 0x18,
    ReadDr0 = 0x20,  // .. WriteDr15 = 0x3f
    WriteDr15 = 0x3f,
    Intr = 0x60,
    Nmi = 0x61,
    Init = 0x63,
    Vintr = 0x64,
    Rdpmc = 0x6f,
    Cpuid = 0x72,
    Iret = 0x74,
    Invd = 0x76,
    Hlt = 0x78,
    Invlpga = 0x7a,
    Ioio = 0x7b,
    Msr = 0x7c,
    Shutdown = 0x7f,
    Vmrun = 0x80,
    Vmmcall = 0x81,
    Vmload = 0x82,
    Vmsave = 0x83,
    Stgi = 0x84,
    Clgi = 0x85,
    Skinit = 0x86,
    Wbinvd = 0x89,
    Monitor = 0x8a,
    Mwait = 0x8b,
    MwaitConditional = 0x8c,
    Xsetbv = 0x8d,
    NestedPageFault = 0x400,
    Invalid = ~0ull,
};

struct Segment {
    u16 selector, attributes;
    u32 limit;
    u64 base;
};
static_assert(sizeof(Segment) == 16);

struct alignas(4096) Vmcb {
    // Control area
    u32 intercept_cr, intercept_dr, intercept_exceptions, intercept1, intercept2, intercept3;
    u8 reserved0[0x24];
    u16 pause_threshold, pause_count;
    u64 iopm_base, msrpm_base, tsc_offset;
    u32 asid;
    TlbControl tlb_control;
    u8 reserved1[3];
    u64 interrupt_control, interrupt_shadow;
    ExitCode exit_code;
    u64 exit_info1, exit_info2, exit_interrupt_info;
    u64 nested_control, avic_bar, ghcb;
    u64 event_injection, nested_cr3, lbr_control;
    u32 clean, reserved2;
    u64 next_rip;
    u8 fetched, instruction[15];
    u8 reserved3[0x320];

    // State save area
    Segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    u8 reserved4[0x2b];
    u8 cpl;
    u32 reserved5;
    u64 efer;
    u8 reserved6[0x70];
    u64 cr4, cr3, cr0, dr7, dr6, rflags, rip;
    u8 reserved7[0x58];
    u64 rsp;
    u8 reserved8[0x18];
    u64 rax, star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip,
        cr2;
    u8 reserved9[0x20];
    u64 g_pat, debug_control;
    u8 reserved10[0x988];
};
static_assert(sizeof(Vmcb) == 4096);
static_assert(offsetof(Vmcb, pause_threshold) == 0x3c);
static_assert(offsetof(Vmcb, interrupt_control) == 0x60);
static_assert(offsetof(Vmcb, exit_code) == 0x70);
static_assert(offsetof(Vmcb, nested_control) == 0x90);
static_assert(offsetof(Vmcb, event_injection) == 0xa8);
static_assert(offsetof(Vmcb, next_rip) == 0xc8);
static_assert(offsetof(Vmcb, es) == 0x400);
static_assert(offsetof(Vmcb, cpl) == 0x4cb);
static_assert(offsetof(Vmcb, efer) == 0x4d0);
static_assert(offsetof(Vmcb, cr4) == 0x548);
static_assert(offsetof(Vmcb, rip) == 0x578);
static_assert(offsetof(Vmcb, rsp) == 0x5d8);
static_assert(offsetof(Vmcb, rax) == 0x5f8);
static_assert(offsetof(Vmcb, cr2) == 0x640);
static_assert(offsetof(Vmcb, g_pat) == 0x668);

}  // namespace skep::hv::svm
