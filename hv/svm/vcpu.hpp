// A virtual CPU on SVM: a VMCB and what SVM leaves to software (NMI masking, ASIDs).
#pragma once

#include "hv/cpu/backend.hpp"
#include "hv/svm/vmcb.hpp"

namespace skep::hv::svm {

struct Capabilities {
    u32 asids;
    bool next_rip;  // NRIPS
    bool flush_by_asid;
};
const Capabilities& capabilities();

enum class Role : u8 {
    Root,
    Guest
};

class SvmVcpu final : public HardwareVcpu {
  public:
    SvmVcpu(Role role, Vmcb* vmcb, u32 asid, Hpa tables);

    Vmcb& vmcb() { return *vmcb_; }

    void acquire(const Cpu& cpu) override;
    void release(const Cpu&) override {}
    void switch_in(const Cpu& cpu) override;
    void switch_out(const Cpu& cpu) override;
    void enter() override;

    u64 rip() const override { return vmcb_->rip; }
    void set_rip(u64 rip) override;
    void advance(u64 length) override;
    bool accept_hypercall() override;
    u64 rflags() const override { return vmcb_->rflags; }
    u32 interruptibility() const override;
    u8 cpl() const override { return vmcb_->cpl; }
    void describe(abi::VcpuPage& page) const override;
    void describe_paging(abi::VcpuPage& page) const override;

    u64 read(abi::Field field) const override;
    void write(abi::Field field, u64 value) override;

    void inject(Event event) override;
    void request_interrupt_window(bool wanted) override;
    void request_nmi_window(bool wanted) override;
    u8 task_priority() const override;
    void set_task_priority(u8 cr8) override;
    void set_task_priority_threshold(u8 cr8) override;
    void intercept_debug_registers(bool wanted) override {
        vmcb_->intercept_dr = wanted ? kDebugRegisters : 0;
    }
    void set_tsc_offset(u64 offset) override { vmcb_->tsc_offset = offset; }
    bool set_preemption_deadline(u64) override { return false; }
    void flush_tlb() override { flush_ = true; }

  private:
    // There is no NMI masking in SVM. It ends with IRET, which is intercepted before it executes; a
    // guest's next NMI waits for the exit after that, so that it does not find the old frame in
    // use.
    enum class NmiMask : u8 {
        Open,
        Blocked,
        Returning
    };

    void open_window();
    Event interrupted_event() const;
    Exit decode() const;  // exits.cpp
    Exit decode_io() const;
    u8 length_by_next_rip() const;
    u64* plain(abi::Field field) const;  // fields.cpp
    Segment* segment(abi::Field field) const;

    Vmcb* vmcb_;
    Role role_;
    NmiMask nmi_ = NmiMask::Open;
    u64 iret_rip_ = 0;  // of the IRET in NmiMask::Returning
    bool interrupt_wanted_ = false, nmi_wanted_ = false;
    bool flush_ = true;
    int last_cpu_ = -1;
};

}  // namespace skep::hv::svm

extern "C" void svm_enter(skep::abi::GeneralRegisters* registers, skep::hv::svm::Vmcb* vmcb,
                          skep::hv::u64 physical);
