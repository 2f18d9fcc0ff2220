#include "hv/root/root_exits.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/cpu/features.hpp"
#include "hv/guest/checks.hpp"
#include "hv/guest/decoder.hpp"
#include "hv/guest/paging.hpp"
#include "hv/hypercall/dispatch.hpp"
#include "hv/lib/panic.hpp"
#include "hv/memory/layout.hpp"
#include "hv/memory/ownership.hpp"

namespace skep::hv {

using abi::Field;

namespace {

constexpr u64 kLongCode = 1 << 13, kDefault32 = 1 << 14;

u64 low32(u64 value) {
    return value & 0xffff'ffff;
}

// Guest-physical is host-physical here; hv's own frames do not exist.
const u8* root_memory(Gpa gpa) {
    const Hpa hpa{gpa.value};
    return ownership().root_owns(hpa, 1) ? direct(hpa) : nullptr;
}

u64 length_of(const HardwareVcpu& root, const Exit& exit, std::span<const u8> opcode) {
    if (exit.instruction_length != 0)
        return exit.instruction_length;
    const u64 access = root.read(Field::CsAccess);
    const bool long_mode = (root.read(Field::Efer) & efer::kLma) != 0 && (access & kLongCode) != 0;
    const CodeSize size = long_mode                    ? CodeSize::Bits64
                          : (access & kDefault32) != 0 ? CodeSize::Bits32
                                                       : CodeSize::Bits16;
    const PagingMode mode{root.read(Field::Cr0), root.read(Field::Cr3), root.read(Field::Cr4),
                          root.read(Field::Efer)};
    const u64 linear = long_mode ? root.rip() : low32(root.read(Field::CsBase) + root.rip());
    std::array<u8, 15> code;
    const std::size_t count = read_linear(mode, linear, code, root_memory);
    return instruction_length({code.data(), count}, size, opcode)
        .value_or(static_cast<u8>(opcode.size()));
}

void do_cpuid(HardwareVcpu& root, const Exit& exit) {
    static constexpr u8 kOpcode[] = {0x0f, 0xa2};
    constexpr u32 kVmx = 1u << 5, kSvm = 1u << 2, kOsxsave = 1u << 27, kHypervisor = 1u << 31,
                  kOspke = 1u << 4;
    abi::GeneralRegisters& r = root.general;
    const u32 leaf = static_cast<u32>(r.rax), subleaf = static_cast<u32>(r.rcx);
    CpuidResult result = cpuid(leaf, subleaf);
    const auto follow = [&](u32& word, u32 bit, u64 cr4_bit) {
        word = (word & ~bit) | ((root.read(Field::Cr4) & cr4_bit) != 0 ? bit : 0);
    };
    switch (leaf) {
        case 1:
            result.ecx = (result.ecx & ~kVmx) | kHypervisor;
            follow(result.ecx, kOsxsave, cr4::kOsxsave);
            break;
        case 7:
            if (subleaf == 0)
                follow(result.ecx, kOspke, cr4::kPke);
            break;
        case abi::kCpuidSignatureLeaf:
            result = {abi::kCpuidSignatureLeaf, abi::kCpuidSignature, abi::kCpuidSignature,
                      abi::kCpuidSignature};
            break;
        case 0x8000'0001:
            result.ecx &= ~kSvm;
            break;
        case 0x8000'000a:
            result = {};
            break;
        default:
            break;
    }
    r.rax = result.eax;
    r.rbx = result.ebx;
    r.rcx = result.ecx;
    r.rdx = result.edx;
    root.advance(length_of(root, exit, kOpcode));
}

// Its mode may change; the page stays where hv, too, looks for it, and the APIC on.
bool set_apic_base(u64 value) {
    constexpr u64 kX2Apic = 1 << 10;
    constexpr u32 kCpuidX2Apic = 1u << 21;  // leaf 1, ECX
    const u64 old = read_msr(msr::kApicBase);
    if ((value & ~kX2Apic) != (old & ~kX2Apic) || (value & kX2Apic) < (old & kX2Apic) ||
        ((value & kX2Apic) != 0 && (cpuid(1).ecx & kCpuidX2Apic) == 0))
        return false;
    write_msr(msr::kApicBase, value);
    return true;
}

// Intercepted are EFER, for the bits that virtualization needs, the virtualization MSRs, which look
// locked and off, and writes to MSRs of which hv keeps a copy for the world switch.
void do_rdmsr(const Cpu& cpu, HardwareVcpu& root, const Exit& exit) {
    static constexpr u8 kOpcode[] = {0x0f, 0x32};
    constexpr u32 kVmCr = 0xc001'0114;
    u64 value = 0;
    switch (exit.msr) {
        case msr::kEfer:
            value = root.read(Field::Efer);
            break;
        case msr::kTscAux:
            value = cpu.root_tsc_aux;
            break;
        case msr::kFeatureControl:
            value = 1;  // locked, VMX off
            break;
        case kVmCr:
            value = 1 << 3 | 1 << 4;  // LOCK, SVMDIS
            break;
        default:
            root.inject(Event::general_protection());
            return;
    }
    root.general.rax = low32(value);
    root.general.rdx = value >> 32;
    root.advance(length_of(root, exit, kOpcode));
}

bool write_efer(HardwareVcpu& root, u64 value) {
    constexpr u64 kEfer = efer::kSce | efer::kLme | efer::kLma | efer::kNxe | efer::kFfxsr;
    const u64 old = root.read(Field::Efer);
    const bool paging = (root.read(Field::Cr0) & cr0::kPg) != 0;
    if ((value & ~kEfer) != 0 || (paging && ((value ^ old) & efer::kLme) != 0))
        return false;
    root.write(Field::Efer, (value & ~efer::kLma) | (old & efer::kLma));
    return true;
}

// False: #GP.
bool write_msr_of(Cpu& cpu, HardwareVcpu& root, u32 index, u64 value) {
    if (const auto field = syscall_field(index)) {
        if (!valid_syscall_field(*field, value))
            return false;
        root.write(*field, value);
        return true;
    }
    if (index == msr::kTscAux && has_tsc_aux() && value >> 32 == 0) {
        cpu.root_tsc_aux = value;
        write_msr(index, value);
        return true;
    }
    if (index == msr::kApicBase)
        return set_apic_base(value);
    return index == msr::kEfer && write_efer(root, value);
}

void do_wrmsr(Cpu& cpu, HardwareVcpu& root, const Exit& exit) {
    static constexpr u8 kOpcode[] = {0x0f, 0x30};
    const u64 value = low32(root.general.rax) | root.general.rdx << 32;
    if (write_msr_of(cpu, root, exit.msr, value))
        return root.advance(length_of(root, exit, kOpcode));
    ++cpu.counters.root_violations;
    root.inject(Event::general_protection());
}

void do_xsetbv(HardwareVcpu& root, const Exit& exit) {
    static constexpr u8 kOpcode[] = {0x0f, 0x01, 0xd1};
    const u64 value = low32(root.general.rax) | root.general.rdx << 32;
    const CpuidResult supported = cpuid(0xd);
    const u64 mask = supported.eax;
    // What XSETBV itself checks (SDM vol. 1, 13.3), so that it does not fault in here.
    const bool pairs = ((value & 4) == 0 || (value & 2) != 0) &&
                       ((value & 0xe0) == 0 || (value & 0xe6) == 0xe6) &&
                       ((value & 0x18) == 0 || (value & 0x18) == 0x18) &&
                       ((value & 0x60000) == 0 || (value & 0x60000) == 0x60000);
    if (root.cpl() != 0 || static_cast<u32>(root.general.rcx) != 0 || (value & 1) == 0 ||
        (value & ~mask) != 0 || !pairs) {
        root.inject(Event::general_protection());
        return;
    }
    write_xcr0(value);
    root.advance(length_of(root, exit, kOpcode));
}

// NMIs and interrupts that this CPU has taken while it was a guest's.
[[gnu::noinline]] void take_pending(Cpu& cpu, HardwareVcpu& root) {
    constexpr u32 kShadow = 1 | 2, kNmiBlocked = 8;
    const u32 blocked = root.interruptibility();
    root.request_nmi_window((blocked & kNmiBlocked) != 0);
    const auto take = [&cpu](u8 what) {
        return (cpu.pending.fetch_and(static_cast<u8>(~what)) & what) != 0;
    };
    const bool nmi = (blocked & kNmiBlocked) == 0 && take(Cpu::kPendingNmi);
    if (nmi)
        root.inject(Event::nmi());
    if ((cpu.pending & Cpu::kPendingInterrupt) == 0)
        return;
    const bool now = !nmi && (root.rflags() & rflags::kIf) != 0 && (blocked & kShadow) == 0;
    root.request_interrupt_window(!now);
    if (now && take(Cpu::kPendingInterrupt))
        root.inject(Event::interrupt(cpu.pending_vector));
}

void log_state(const HardwareVcpu& root) {
    const abi::GeneralRegisters& r = root.general;
    log("  rip {} rflags {} rsp {} cpl {}", Hex{root.rip()}, Hex{root.rflags()},
        Hex{root.read(Field::Rsp)}, root.cpl());
    log("  rax {} rbx {} rcx {} rdx {} rsi {} rdi {} rbp {}", Hex{r.rax}, Hex{r.rbx}, Hex{r.rcx},
        Hex{r.rdx}, Hex{r.rsi}, Hex{r.rdi}, Hex{r.rbp});
    log("  cr0 {} cr2 {} cr3 {} cr4 {} efer {}", Hex{root.read(Field::Cr0)},
        Hex{root.read(Field::Cr2)}, Hex{root.read(Field::Cr3)}, Hex{root.read(Field::Cr4)},
        Hex{root.read(Field::Efer)});
}

// The machine has no other owner: what ends the root domain ends everything.
[[noreturn]] void stop(const Cpu& cpu, const HardwareVcpu& root, const char* why, u64 code) {
    log("the root domain has stopped on CPU {}: {} {}", cpu.index, why, Hex{code});
    log_state(root);
    // The keyboard controller's reset line.
    out8(0x64, 0xfe);
    halt_forever();
}

}  // namespace

void handle_root_exit(Cpu& cpu, HardwareVcpu& root, const Exit& exit) {
    static constexpr u8 kInvd[] = {0x0f, 0x08};
    if (exit.kind == ExitKind::Hypercall) {
        if (!root.accept_hypercall()) {
            root.inject(Event::undefined_opcode());
            return;
        }
        root.general.rax = hypercall(cpu, root.general);
        if (cpu.pending != 0)
            take_pending(cpu, root);
        return;
    }
    ++cpu.counters.root_exits;
    if (exit.interrupted.valid())
        root.inject(exit.interrupted);
    switch (exit.kind) {
        case ExitKind::Cpuid:
            return do_cpuid(root, exit);
        case ExitKind::MsrRead:
            return do_rdmsr(cpu, root, exit);
        case ExitKind::MsrWrite:
            return do_wrmsr(cpu, root, exit);
        case ExitKind::Xsetbv:
            return do_xsetbv(root, exit);
        case ExitKind::CacheFlush:
            asm volatile("wbinvd" : : : "memory");
            return root.advance(length_of(root, exit, kInvd));
        case ExitKind::Forbidden:
            ++cpu.counters.root_violations;
            return root.inject(Event::undefined_opcode());
        case ExitKind::PrivilegedRead:
            return root.inject(Event::general_protection());
        case ExitKind::SecondLevelFault:
            // hv's own memory, or beyond the end of all. A few are told.
            ++cpu.counters.root_violations;
            if (cpu.memory_violations++ < 4) {
                log("the root domain may not access {}", exit.fault.address);
                log_state(root);
            }
            return root.inject(Event::general_protection());
        case ExitKind::Nmi:
            cpu.take_requests();
            return take_pending(cpu, root);
        case ExitKind::NmiWindow:
        case ExitKind::InterruptWindow:
            return take_pending(cpu, root);
        case ExitKind::Interrupt:
        case ExitKind::PreemptionTimer:
        case ExitKind::TaskPriorityLowered:
            return;
        case ExitKind::Shutdown:
            stop(cpu, root, "triple fault", 0);
        default:
            stop(cpu, root, "exit that hv does not know", exit.raw);
    }
}

}  // namespace skep::hv
