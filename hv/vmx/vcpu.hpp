// A virtual CPU on VMX: its VMCS and what VMX leaves to software.
#pragma once

#include "hv/arch/instructions.hpp"
#include "hv/cpu/backend.hpp"
#include "hv/memory/frame_pool.hpp"
#include "hv/vmx/capability.hpp"
#include "hv/vmx/vmcs.hpp"
#include "hv/vmx/write_log.hpp"

#include <array>

namespace skep::hv::vmx {

// A VMCS region, or the VMXON region: 4 KiB, opened by the revision identifier (SDM vol. 3, 25.2).
struct alignas(kPageSize) Region {
    u32 revision;
    u32 abort_indicator;
    std::array<u8, kPageSize - 8> data;
};
static_assert(sizeof(Region) == kPageSize);

enum class Role : u8 {
    Root,
    Guest
};

class VmxVcpu final : public HardwareVcpu {
  public:
    static Result<VmxVcpu*> create(Role role, const GuestFrames& frames);
    static void destroy(VmxVcpu* vcpu);

    void acquire(const Cpu& cpu) override;
    void release(const Cpu& cpu) override;
    void switch_in(const Cpu& cpu) override;
    void switch_out(const Cpu& cpu) override;
    void enter() override;

    u64 rip() const override { return vmread(FieldNatural::GuestRip); }
    void set_rip(u64 rip) override;
    void advance(u64 length) override;
    bool accept_hypercall() override;
    u64 rflags() const override { return vmread(FieldNatural::GuestRflags); }
    u32 interruptibility() const override { return vmread(Field32::GuestInterruptibilityState); }
    u8 cpl() const override;
    void describe(abi::VcpuPage& page) const override;
    void describe_paging(abi::VcpuPage& page) const override;
    u64 read(abi::Field field) const override;
    void write(abi::Field field, u64 value) override;
    void inject(Event event) override;
    void request_interrupt_window(bool wanted) override {
        set_primary(kInterruptWindowExiting, wanted);
    }
    void request_nmi_window(bool wanted) override { set_primary(kNmiWindowExiting, wanted); }
    u8 task_priority() const override;
    void set_task_priority(u8 cr8) override;
    void set_task_priority_threshold(u8 cr8) override;
    bool delivers_interrupts() const override { return capabilities().apicv; }
    void deliver_interrupts(u8 requested, u8 in_service, ApicAccess access) override;
    bool takes_posted() const override { return capabilities().posted_interrupts; }
    void intercept_debug_registers(bool wanted) override { set_primary(kMovDrExiting, wanted); }
    void set_tsc_offset(u64 offset) override { vmwrite(Field64::TscOffset, offset); }
    bool set_preemption_deadline(u64 host_tsc) override;
    bool deadline_passed() const { return deadline_ <= read_tsc(); }
    std::optional<Gpa> take_written() override { return log_.take(); }
    void restart_write_log() override;
    void flush_tlb() override { prepare_ |= kFlush; }

    // Control registers as the guest sees them; the bits that hv keeps are in the masks.
    u64 guest_cr0() const;
    u64 guest_cr4() const;
    void set_cr0(u64 value);
    void set_cr4(u64 value);
    u64 general_register(unsigned number) const;

  private:
    friend class skep::hv::FramePool;
    VmxVcpu(Role role, Hpa vmcs, std::optional<Hpa> log, const GuestFrames& frames);
    ~VmxVcpu() = default;

    bool is_guest() const { return role_ == Role::Guest; }
    void write_controls();
    void write_host_state();
    void write_threshold();
    void update_long_mode();
    void prepare();
    void arm_preemption_timer();
    void set_timer(bool bounded);
    void flush();
    u64 ept_pointer() const;
    u32* virtual_apic() const { return static_cast<u32*>(pool().at(frames_.virtual_apic)); }
    void set_primary(u32 bits, bool on);
    void set_pin(u32 bits, bool on);
    void load_pdptes();

    // Registers that VMX neither saves nor loads. Writing the MSRs of SYSCALL leaves, guests and
    // the root domain, so these copies are always true; the others change unseen while they are
    // loaded.
    struct SyscallMsrs {
        u64 star = 0, lstar = 0, cstar = 0, fmask = 0;
    };
    static void load_syscall_msrs(const SyscallMsrs& loaded, const SyscallMsrs& wanted);
    bool is_loaded() const { return switched_in_ || !is_guest(); }
    u64 read_unswitched(abi::Field field) const;
    bool write_unswitched(abi::Field field, u64 value);

    const Role role_;
    const Hpa vmcs_;
    const GuestFrames frames_;
    const std::optional<Hpa> log_frame_;
    WriteLog log_;
    u64 deadline_ = abi::kNoDeadline;
    u32 pin_ = 0, primary_ = 0, secondary_ = 0;
    std::array<u64, 4> eoi_exits_{};  // as the VMCS has them
    u16 vpid_ = 0;
    u8 threshold_ = 0, written_threshold_ = 0;
    u32 cpu_plus_1_ = 0;  // whose host state is in the VMCS, whose TLB may know us
    bool launched_ = false;
    bool injected_ = false;  // an event is in the VMCS for the next entry
    bool switched_in_ = false;
    // What the next entry needs before it.
    static constexpr u8 kFlush = 1, kLoadPdptes = 2;
    u8 prepare_ = kFlush;
    // What the preemption timer is set to.
    enum class Timer : u8 {
        Off,
        Bound,
        Deadline
    } timer_ = Timer::Off;
    SyscallMsrs syscall_;
    u64 cr0_shadow_ = 0, cr4_shadow_ = 0;  // CR0 and CR4 read shadows
    u64 cr2_ = 0, dr6_ = 0xffff'0ff0, kernel_gs_base_ = 0;
    u64 root_kernel_gs_base_ = 0;  // while switched in
};

inline u32 exit_reason() {
    return vmread(Field32::ExitReason);
}
constexpr u32 kExitByCpuid = 10;

// Fills in vcpu.exit. False: it is finished here, enter again.
bool decode_exit(VmxVcpu& vcpu, u32 reason);

// A MOV to or from a control register, or LMSW or CLTS, that touches a bit of the masks.
void finish_control_register_access(VmxVcpu& vcpu, u64 qualification);

}  // namespace skep::hv::vmx
