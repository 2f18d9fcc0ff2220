#include "hv/vmx/vcpu.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/cpu/cpu.hpp"
#include "hv/lib/panic.hpp"
#include "hv/memory/frame_pool.hpp"
#include "hv/vmx/capability.hpp"
#include "hv/vmx/ept.hpp"
#include "hv/vmx/permission_maps.hpp"

#include <algorithm>
#include <atomic>

extern "C" void vmx_enter();
extern "C" void vmx_exit();

namespace skep::hv::vmx {

namespace {

// Words of the virtual-APIC page (SDM vol. 3, 30.1.1).
constexpr u32 kVirtualTpr = 0x80 / 4, kVirtualTmr = 0x180 / 4;

// The bits of CR0 that hv keeps from a guest: NE, which VMX holds at 1, and the caches, which it
// would turn off for the whole CPU. The root domain may do the latter.
u64 cr0_mask(bool guest) {
    return guest ? cr0::kNe | cr0::kCd | cr0::kNw : cr0::kNe;
}
constexpr u64 kCr4Mask = cr4::kVmxe | cr4::kSmxe;

constinit std::atomic<u16> next_vpid{1};

}  // namespace

Result<VmxVcpu*> VmxVcpu::create(Role role, const GuestFrames& frames) {
    const auto vmcs = pool().allocate();
    if (!vmcs)
        return fail(abi::Error::NoMemory);
    const bool logs = role == Role::Guest && capabilities().write_log;
    const auto log = logs ? pool().allocate() : std::nullopt;
    VmxVcpu* vcpu = logs && !log ? nullptr : pool().create<VmxVcpu>(role, *vmcs, log, frames);
    if (vcpu == nullptr) {
        if (log)
            pool().free(*log);
        pool().free(*vmcs);
        return fail(abi::Error::NoMemory);
    }
    return vcpu;
}

void VmxVcpu::destroy(VmxVcpu* vcpu) {
    if (vcpu->log_frame_)
        pool().free(*vcpu->log_frame_);
    pool().free(vcpu->vmcs_);
    pool().destroy(vcpu);
}

VmxVcpu::VmxVcpu(Role role, Hpa vmcs, std::optional<Hpa> log, const GuestFrames& frames)
    : role_(role), vmcs_(vmcs), frames_(frames), log_frame_(log) {
    if (log_frame_)
        log_.open(static_cast<u64*>(pool().at(*log_frame_)));
    static_cast<Region*>(pool().at(vmcs_))->revision = capabilities().revision;
    // VPIDs only ever repeat after 65,535 vCPUs, and each starts with a flush.
    do {
        vpid_ = next_vpid.fetch_add(1, std::memory_order_relaxed);
    } while (vpid_ == 0);
    if (!vmclear(vmcs_.value))
        panic("VMCLEAR of a new VMCS at {:x}", vmcs_.value);
    if (!is_guest()) {
        syscall_ = {read_msr(msr::kStar), read_msr(msr::kLstar), read_msr(msr::kCstar),
                    read_msr(msr::kFmask)};
    }
    // A new VMCS can be written only while it is current.
    const Cpu& cpu = Cpu::current();
    acquire(cpu);
    write_controls();
    if (is_guest())
        release(cpu);
}

void VmxVcpu::write_controls() {
    const Capabilities& can = capabilities();
    const bool posted = is_guest() && can.posted_interrupts;
    // NMIs are hv's own signal between CPUs; the root domain's are passed on.
    pin_ = can.pin.apply(kPinNmiExiting | kPinVirtualNmis |
                         (is_guest() ? kPinExternalInterruptExiting : 0) |
                         (posted ? kPinPostedInterrupts : 0));
    primary_ = can.primary.apply(kUseMsrBitmaps | kActivateSecondaryControls |
                                 (is_guest() ? kUseTscOffsetting | kHltExiting | kMwaitExiting |
                                                   kMonitorExiting | kRdpmcExiting | kUseTprShadow |
                                                   kUnconditionalIoExiting
                                             : 0));
    u32 secondary =
        kEnableEpt | kUnrestrictedGuest | (can.vpid ? kEnableVpid : 0) |
        (is_guest() ? kWbinvdExiting : 0) | (log_frame_ ? kEnablePml : 0) |
        (is_guest() && can.apicv ? kApicRegisterVirtualization | kVirtualInterruptDelivery : 0);
    // Instructions that take #UD unless they are enabled.
    const u32 optional = kEnableRdtscp | kEnableInvpcid | (is_guest() ? 0 : kEnableXsaves);
    for (u32 one = 1; one != 0; one <<= 1)
        if ((optional & one) != 0 && can.secondary.allows(one))
            secondary |= one;

    vmwrite(Field32::PinBasedControls, pin_);
    vmwrite(Field32::PrimaryControls, primary_);
    secondary_ = can.secondary.apply(secondary);
    vmwrite(Field32::SecondaryControls, secondary_);
    vmwrite(Field32::ExitControls,
            can.exit.apply(kSaveDebugControls | kHostAddressSpaceSize | kSaveIa32Pat |
                           kLoadHostIa32Pat | kSaveIa32Efer | kLoadHostIa32Efer |
                           (posted ? kAcknowledgeInterrupt : 0)));
    vmwrite(Field32::EntryControls,
            can.entry.apply(kLoadDebugControls | kLoadIa32Pat | kLoadIa32Efer));
    vmwrite(Field32::ExceptionBitmap, 0);
    vmwrite(Field32::PageFaultErrorCodeMask, 0);
    vmwrite(Field32::PageFaultErrorCodeMatch, 0);
    vmwrite(Field32::Cr3TargetCount, 0);
    vmwrite(Field32::ExitMsrStoreCount, 0);
    vmwrite(Field32::ExitMsrLoadCount, 0);
    vmwrite(Field32::EntryMsrLoadCount, 0);
    vmwrite(Field32::EntryInterruptionInformation, 0);
    vmwrite(Field32::TprThreshold, 0);
    vmwrite(Field64::MsrBitmaps, (is_guest() ? guest_msr_bitmap() : root_msr_bitmap()).value);
    vmwrite(Field64::EptPointer, ept_pointer());
    vmwrite(Field64::VmcsLinkPointer, ~u64{0});
    if (is_guest()) {
        vmwrite(Field64::VirtualApicPage, frames_.virtual_apic.value);
        vmwrite(Field64::TscOffset, 0);
    }
    if (is_guest() && can.apicv) {
        vmwrite(Field16::GuestInterruptStatus, 0);
        vmwrite(Field64::ApicAccessPage, backend().apic_page().value);
        for (unsigned i = 0; i < eoi_exits_.size(); ++i)
            vmwrite(stepped(Field64::EoiExitBitmap0, i), 0);
    }
    // SDM vol. 3, 30.6: what acknowledges a notification acknowledges each interrupt.
    if (posted) {
        vmwrite(Field16::PostedInterruptNotificationVector, abi::kNotificationVector);
        vmwrite(Field64::PostedInterruptDescriptor, frames_.mailbox.value);
    }
    if (log_frame_) {
        vmwrite(Field64::PmlAddress, log_frame_->value);
        restart_write_log();
    }
    if ((secondary & kEnableXsaves) != 0)
        vmwrite(Field64::XssExitingBitmap, 0);
    if (can.vpid)
        vmwrite(Field16::VirtualProcessorIdentifier, vpid_);
    vmwrite(FieldNatural::Cr0GuestHostMask, cr0_mask(is_guest()));
    vmwrite(FieldNatural::Cr4GuestHostMask, kCr4Mask);

    vmwrite(Field32::GuestActivityState, 0);
    vmwrite(Field32::GuestInterruptibilityState, 0);
    vmwrite(FieldNatural::GuestPendingDebugExceptions, 0);
    vmwrite(Field64::GuestIa32Debugctl, 0);
    set_cr0(0);
    set_cr4(0);
    for (unsigned i = 0; i < 8; ++i) {
        vmwrite(stepped(Field16::GuestEsSelector, i), 0);
        vmwrite(stepped(FieldNatural::GuestEsBase, i), 0);
        vmwrite(stepped(Field32::GuestEsLimit, i), 0);
        vmwrite(stepped(Field32::GuestEsAccessRights, i), 1u << 16);
    }
    vmwrite(FieldNatural::GuestCr3, 0);
    vmwrite(FieldNatural::GuestDr7, 0x400);
    vmwrite(Field64::GuestIa32Pat, 0x0007'0406'0007'0406);
    vmwrite(Field64::GuestIa32Efer, 0);
}

void VmxVcpu::write_host_state() {
    struct [[gnu::packed]] Pointer {
        u16 limit;
        u64 base;
    } gdtr, idtr;
    u16 cs, ss, tr;
    asm volatile("sgdt %0" : "=m"(gdtr));
    asm volatile("sidt %0" : "=m"(idtr));
    asm volatile("mov %%cs, %0" : "=r"(cs));
    asm volatile("mov %%ss, %0" : "=r"(ss));
    asm volatile("str %0" : "=r"(tr));
    vmwrite(FieldNatural::HostCr0, read_cr0());
    vmwrite(FieldNatural::HostCr3, read_cr3());
    vmwrite(FieldNatural::HostCr4, read_cr4());
    vmwrite(Field64::HostIa32Efer, read_msr(msr::kEfer));
    vmwrite(Field64::HostIa32Pat, read_msr(msr::kPat));
    vmwrite(FieldNatural::HostFsBase, read_msr(msr::kFsBase));
    vmwrite(FieldNatural::HostGsBase, read_msr(msr::kGsBase));
    vmwrite(FieldNatural::HostGdtrBase, gdtr.base);
    vmwrite(FieldNatural::HostIdtrBase, idtr.base);
    vmwrite(Field16::HostCsSelector, cs);
    vmwrite(Field16::HostSsSelector, ss);
    vmwrite(Field16::HostDsSelector, 0);
    vmwrite(Field16::HostEsSelector, 0);
    vmwrite(Field16::HostFsSelector, 0);
    vmwrite(Field16::HostGsSelector, 0);
    vmwrite(Field16::HostTrSelector, tr);
    // The base of a 64-bit TSS descriptor (SDM vol. 3, 8.2.3).
    const auto* descriptor = reinterpret_cast<const u64*>(gdtr.base + (tr & ~7u));
    vmwrite(FieldNatural::HostTrBase,
            (descriptor[0] >> 16 & 0xff'ffff) | (descriptor[0] >> 56) << 24 | descriptor[1] << 32);
    vmwrite(Field32::HostSysenterCs, 0);
    vmwrite(FieldNatural::HostSysenterEsp, 0);
    vmwrite(FieldNatural::HostSysenterEip, 0);
    vmwrite(FieldNatural::HostRip, reinterpret_cast<u64>(&vmx_exit));
}

void VmxVcpu::acquire(const Cpu& cpu) {
    if (!vmptrld(vmcs_.value))
        panic("VMPTRLD of {:x}", vmcs_.value);
    if (cpu_plus_1_ != cpu.index + 1) {
        cpu_plus_1_ = cpu.index + 1;
        prepare_ |= kFlush;
        write_host_state();
    }
}

void VmxVcpu::release(const Cpu& cpu) {
    // Only a cleared VMCS may become current elsewhere (SDM vol. 3, 25.11.1).
    if (!vmclear(vmcs_.value))
        panic("VMCLEAR of {:x}", vmcs_.value);
    launched_ = false;
    const auto* root = static_cast<const VmxVcpu*>(cpu.root);
    if (root != nullptr && !vmptrld(root->vmcs_.value))
        panic("VMPTRLD of {:x}", root->vmcs_.value);
}

void VmxVcpu::load_syscall_msrs(const SyscallMsrs& loaded, const SyscallMsrs& wanted) {
    if (loaded.star != wanted.star)
        write_msr(msr::kStar, wanted.star);
    if (loaded.lstar != wanted.lstar)
        write_msr(msr::kLstar, wanted.lstar);
    if (loaded.cstar != wanted.cstar)
        write_msr(msr::kCstar, wanted.cstar);
    if (loaded.fmask != wanted.fmask)
        write_msr(msr::kFmask, wanted.fmask);
}

void VmxVcpu::switch_in(const Cpu& cpu) {
    load_syscall_msrs(static_cast<const VmxVcpu*>(cpu.root)->syscall_, syscall_);
    root_kernel_gs_base_ = read_msr(msr::kKernelGsBase);
    if (root_kernel_gs_base_ != kernel_gs_base_)
        write_msr(msr::kKernelGsBase, kernel_gs_base_);
    write_cr2(cr2_);
    write_dr6(dr6_);
    switched_in_ = true;
}

void VmxVcpu::switch_out(const Cpu& cpu) {
    load_syscall_msrs(syscall_, static_cast<const VmxVcpu*>(cpu.root)->syscall_);
    kernel_gs_base_ = read_msr(msr::kKernelGsBase);
    if (root_kernel_gs_base_ != kernel_gs_base_)
        write_msr(msr::kKernelGsBase, root_kernel_gs_base_);
    cr2_ = read_cr2();
    dr6_ = read_dr6();
    switched_in_ = false;
}

namespace {

// entry.S. False: VMfail, nothing ran.
inline bool enter_guest(abi::GeneralRegisters& registers, bool launched) {
    u64 entered;
    u64 address = reinterpret_cast<u64>(&registers), resume = launched;
    asm volatile("call vmx_enter"
                 : "=a"(entered), "+D"(address), "+S"(resume)
                 :
                 : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "cc",
                   "memory");
    return entered != 0;
}

}  // namespace

void VmxVcpu::enter() {
    for (;;) {
        if (prepare_ != 0)
            prepare();
        if (is_guest())
            arm_preemption_timer();
        if (!enter_guest(general, launched_)) {
            exit = Exit::of(ExitKind::EntryFailed, 0, vmread(Field32::VmInstructionError));
            return;
        }
        launched_ = true;
        injected_ = false;  // the exit has cleared it (SDM vol. 3, 28.2)
        const u32 reason = exit_reason();
        if (reason == kExitByCpuid && cpuid_handler != nullptr &&
            cpuid_handler->finish_cpuid(general)) {
            advance(vmread(Field32::ExitInstructionLength));
            continue;
        }
        if (decode_exit(*this, reason))
            return;
    }
}

void VmxVcpu::prepare() {
    if ((prepare_ & kFlush) != 0)
        flush();
    if ((prepare_ & kLoadPdptes) != 0)
        load_pdptes();
    prepare_ = 0;
}

void VmxVcpu::set_rip(u64 rip) {
    vmwrite(FieldNatural::GuestRip, rip);
    const u32 shadow = interruptibility();
    if ((shadow & 3) != 0)
        vmwrite(Field32::GuestInterruptibilityState, shadow & ~3u);
}

void VmxVcpu::advance(u64 length) {
    constexpr u32 kLongCode = 1 << 13;
    const u64 now = rip();
    u64 next = now + length;
    // Only 64-bit code runs on beyond 4 GiB.
    if ((now ^ next) >> 32 != 0 &&
        ((vmread(FieldNatural::GuestCr0) & cr0::kPe) == 0 ||
         (vmread(stepped(Field32::GuestEsAccessRights, 1)) & kLongCode) == 0))
        next &= 0xffff'ffff;
    set_rip(next);
}

bool VmxVcpu::accept_hypercall() {
    constexpr u64 kLength = 3;  // nobody prefixes it
    if (cpl() != 0)
        return false;
    advance(kLength);
    return true;
}

u8 VmxVcpu::cpl() const {
    return vmread(stepped(Field32::GuestEsAccessRights, 2)) >> 5 & 3;
}

void VmxVcpu::inject(Event event) {
    if (!event.valid() && !injected_)
        return;
    injected_ = event.valid();
    if (event.has_error_code())
        vmwrite(Field32::EntryExceptionErrorCode, event.error_code);
    vmwrite(Field32::EntryInterruptionInformation, event.information);
}

u8 VmxVcpu::task_priority() const {
    return static_cast<u8>(virtual_apic()[kVirtualTpr]) >> 4;
}

void VmxVcpu::set_task_priority(u8 cr8) {
    if (task_priority() != cr8)
        virtual_apic()[kVirtualTpr] = static_cast<u32>(cr8 << 4);
    write_threshold();
}

void VmxVcpu::deliver_interrupts(u8 requested, u8 in_service, ApicAccess access) {
    vmwrite(Field16::GuestInterruptStatus, static_cast<u16>(in_service << 8 | requested));
    const u32* tmr = virtual_apic() + kVirtualTmr;
    for (unsigned i = 0; i < eoi_exits_.size(); ++i, tmr += 8) {
        const u64 level = tmr[0] | u64{tmr[4]} << 32;
        if (level == eoi_exits_[i])
            continue;
        eoi_exits_[i] = level;
        vmwrite(stepped(Field64::EoiExitBitmap0, i), level);
    }
    const bool x2apic = access == ApicAccess::Msrs;
    const u32 wanted = (secondary_ & ~(kVirtualizeApicAccesses | kVirtualizeX2Apic)) |
                       (x2apic                       ? kVirtualizeX2Apic
                        : access == ApicAccess::Page ? kVirtualizeApicAccesses
                                                     : 0);
    if (wanted == secondary_)
        return;
    secondary_ = wanted;
    vmwrite(Field32::SecondaryControls, secondary_);
    vmwrite(Field64::MsrBitmaps, (x2apic ? guest_x2apic_msr_bitmap() : guest_msr_bitmap()).value);
}

void VmxVcpu::set_task_priority_threshold(u8 cr8) {
    threshold_ = cr8;
    write_threshold();
}

// An entry with the threshold above the TPR fails (SDM vol. 3, 27.2.1.1).
void VmxVcpu::write_threshold() {
    const u8 threshold = std::min(threshold_, task_priority());
    if (threshold != written_threshold_) {
        written_threshold_ = threshold;
        vmwrite(Field32::TprThreshold, threshold);
    }
}

bool VmxVcpu::set_preemption_deadline(u64 host_tsc) {
    if (!capabilities().preemption_timer)
        return false;
    deadline_ = host_tsc;
    return true;
}

// Bochs 3.0 computes whether physical interrupts are masked before it counts as being in the guest
// (VMenterLoadCheckGuestState), so they do not leave a guest that was entered with IF clear. The
// timer bounds its stay; the root domain then takes what is pending. A CPU that follows the manual
// (28.2) leaves by itself, and pays one vmread.
inline void VmxVcpu::arm_preemption_timer() {
    const bool bounded = (rflags() & rflags::kIf) == 0;
    if (deadline_ != abi::kNoDeadline || timer_ != (bounded ? Timer::Bound : Timer::Off))
        set_timer(bounded);
}

void VmxVcpu::set_timer(bool bounded) {
    timer_ = deadline_ != abi::kNoDeadline ? Timer::Deadline : bounded ? Timer::Bound : Timer::Off;
    if (!capabilities().preemption_timer)
        return;
    set_pin(kPinPreemptionTimer, timer_ != Timer::Off);
    if (timer_ == Timer::Off)
        return;
    constexpr u64 kLongestStay = 1 << 18;
    u64 ticks = kLongestStay;
    if (timer_ == Timer::Deadline) {
        const u64 now = read_tsc();
        const u64 left = deadline_ <= now ? 0 : deadline_ - now;
        ticks = bounded ? std::min(left, kLongestStay) : left;
    }
    // The counter may run up to one of its ticks short; whoever asked looks at the clock again.
    ticks = (ticks >> capabilities().preemption_timer_shift) + 1;
    vmwrite(Field32::PreemptionTimerValue, static_cast<u32>(std::min<u64>(ticks, 0xffff'ffff)));
}

// The root domain's pages are all writable and never logged.
u64 VmxVcpu::ept_pointer() const {
    return make_ept_pointer(frames_.tables, is_guest() && capabilities().ept_access_dirty);
}

// Always on: outside of a dirty log each page's dirty flag is set, and nothing is listed.
void VmxVcpu::restart_write_log() {
    log_.restart();
    vmwrite(Field16::PmlIndex, WriteLog::kEntries - 1);
}

void VmxVcpu::flush() {
    invept(Invalidation::SingleContext, {ept_pointer(), 0});
    if (!capabilities().vpid)
        return;
    invvpid(capabilities().invvpid_single ? Invalidation::SingleContext : Invalidation::AllContexts,
            {vpid_, 0});
}

void VmxVcpu::set_primary(u32 bits, bool on) {
    const u32 wanted = on ? primary_ | bits : primary_ & ~bits;
    if (wanted != primary_) {
        primary_ = wanted;
        vmwrite(Field32::PrimaryControls, primary_);
    }
}

void VmxVcpu::set_pin(u32 bits, bool on) {
    const u32 wanted = on ? pin_ | bits : pin_ & ~bits;
    if (wanted != pin_) {
        pin_ = wanted;
        vmwrite(Field32::PinBasedControls, pin_);
    }
}

u64 VmxVcpu::guest_cr0() const {
    const u64 mask = cr0_mask(is_guest());
    return (vmread(FieldNatural::GuestCr0) & ~mask) | (cr0_shadow_ & mask);
}

u64 VmxVcpu::guest_cr4() const {
    return (vmread(FieldNatural::GuestCr4) & ~kCr4Mask) | (cr4_shadow_ & kCr4Mask);
}

void VmxVcpu::set_cr0(u64 value) {
    const u64 mask = cr0_mask(is_guest());
    cr0_shadow_ = value;
    vmwrite(FieldNatural::Cr0ReadShadow, value);
    vmwrite(FieldNatural::GuestCr0, (value & ~mask) | cr0::kNe | cr0::kEt);
    update_long_mode();
}

void VmxVcpu::set_cr4(u64 value) {
    cr4_shadow_ = value;
    vmwrite(FieldNatural::Cr4ReadShadow, value);
    vmwrite(FieldNatural::GuestCr4, (value & ~kCr4Mask) | cr4::kVmxe);
    update_long_mode();
}

// EFER.LMA and the entry control follow from LME and PG; so does the need for the four PDPTEs,
// which an entry takes from the VMCS.
void VmxVcpu::update_long_mode() {
    const u64 efer_now = vmread(Field64::GuestIa32Efer);
    const bool paging = (vmread(FieldNatural::GuestCr0) & cr0::kPg) != 0;
    const bool long_mode = paging && (efer_now & efer::kLme) != 0;
    vmwrite(Field64::GuestIa32Efer, long_mode ? efer_now | efer::kLma : efer_now & ~efer::kLma);
    const u32 controls = vmread(Field32::EntryControls);
    vmwrite(Field32::EntryControls,
            long_mode ? controls | kIa32eModeGuest : controls & ~kIa32eModeGuest);
    if (paging && !long_mode && (vmread(FieldNatural::GuestCr4) & cr4::kPae) != 0)
        prepare_ |= kLoadPdptes;
    else
        prepare_ &= static_cast<u8>(~kLoadPdptes);
}

u64 VmxVcpu::general_register(unsigned number) const {
    constexpr unsigned kRsp = 4;
    return number == kRsp ? vmread(FieldNatural::GuestRsp) : (&general.rax)[number];
}

}  // namespace skep::hv::vmx
