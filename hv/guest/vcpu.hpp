// One vCPU of a guest: what hardware does not hold of its state, and the loop that runs it.
//
// Its holder (VcpuSlot) may use everything; other CPUs only `post`, `post_startup`, `waits`,
// `runs_on`, `flush_pending`, `mark_written` and the APIC's `accept`, `matches` and priority.
#pragma once

#include "hv/abi/vcpu.hpp"
#include "hv/cpu/backend.hpp"
#include "hv/cpu/cpu.hpp"
#include "hv/cpu/fpu.hpp"
#include "hv/guest/decoder.hpp"
#include "hv/guest/local_apic.hpp"
#include "hv/guest/paging.hpp"
#include "hv/guest/task_switch.hpp"
#include "hv/guest/vm.hpp"
#include "hv/memory/layout.hpp"

namespace skep::hv {

// Activity states, SDM vol. 3, 25.4.2.
enum class Activity : u32 {
    Active = 0,
    Hlt = 1,
    Shutdown = 2,
    WaitForSipi = 3
};

class Vcpu final : private CpuidHandler {
  public:
    static Result<Vcpu*> create(Vm& vm, u32 index);
    static void destroy(Vcpu* vcpu);

    // RESET state (SDM vol. 3, table 10-1), with a page of the root domain's to report in.
    void start(Hpa page);

    // Runs until an exit that hv cannot finish; the page tells which.
    void run(Cpu& cpu);

    // Fields: all of them are checked before any is set.
    Result<u64> get_field(abi::Field field) const;
    Status check_field(abi::Field field, u64 value) const;
    void set_field(abi::Field field, u64 value);

    Status inject(abi::InjectKind kind, u64 vector, u64 error_code);

    XsaveArea& fpu() { return fpu_; }
    LocalApic& apic() { return apic_; }
    void save_apic(LocalApic::Page& page);
    void load_apic(const LocalApic::Page& page);
    HardwareVcpu& hardware() { return *hardware_; }
    Hpa page() const { return physical(page_); }

    // Requests, from any CPU; taken before the next entry.
    static constexpr u32 kRequestEvaluate = 1, kRequestNmi = 2, kRequestInit = 4,
                         kRequestStartup = 8, kRequestFlush = 16;
    void post(u32 request) { requests_.fetch_or(request); }
    void post_startup(u8 vector) {
        startup_vector_.store(vector);
        post(kRequestStartup);
    }
    bool flush_pending() const { return (requests_.load() & kRequestFlush) != 0; }
    bool waits() const { return activity_.load() != Activity::Active; }
    int runs_on() const { return runs_on_.load(); }
    // Tells the VM's tables what the CPU has listed of its writes. Under their lock.
    void mark_written();
    // Of an interrupt that was posted to its APIC. False: nobody runs it who would take that in the
    // guest. `first`: its CPU has yet to be told.
    bool notify(bool first) const;

  private:
    using Leave = std::optional<abi::ExitReason>;  // nothing: goes on in the guest

    explicit Vcpu(Vm& vm, u32 index) : vm_(vm), index_(index) {}
    friend class FramePool;

    void reset(bool power_up);
    void start_up(u8 vector);

    // run.cpp
    abi::ExitReason loop(Cpu& cpu);
    Leave prepare_entry();
    Leave choose_event(std::optional<u8>& vector, Activity activity);
    Leave arm_timer(u64 now);
    void sync_task_priority();
    void open_windows(bool nmi, bool interrupt);
    bool ready_for_interrupt() const;
    bool timer_is_due() const;
    void apply_write_back();
    [[gnu::always_inline]] void report(abi::ExitReason reason);
    class WorldSwitch;
    void load_debug_registers() const;
    void save_debug_registers();

    // exits.cpp
    Leave handle(const Exit& exit);
    Leave handle_cpuid(const Exit& exit);
    bool finish_cpuid(abi::GeneralRegisters& registers) override;
    Leave handle_fault(const SecondLevelFault& fault);
    Leave handle_task_priority(const Exit& exit);
    Leave handle_xsetbv(const Exit& exit);
    Leave handle_rdmsr(const Exit& exit);
    Leave handle_wrmsr(const Exit& exit);
    void use_debug_registers();
    Leave raise(Event event);
    u64 length_of(const Exit& exit, std::span<const u8> opcode) const;
    std::size_t fetch(std::span<u8> code) const;
    CodeSize code_size() const;

    // task_switch.cpp
    Leave handle_task_switch(const Exit& exit);
    u8* physical_byte(Gpa gpa, bool write, bool probe);
    u8* guest_byte(u64 linear, bool write, bool probe = false);
    std::optional<Leave> obstacle(u64 linear, u64 size, bool write);
    void copy_guest(u64 linear, std::span<u8> bytes, bool write);
    template <class T>
    T load_guest(u64 linear);
    template <class T>
    void store_guest(u64 linear, T value);
    Task load_task(u64 base, bool wide);
    void store_task(u64 base, bool wide, u32 eip, u32 eflags);
    void set_segment(unsigned segment, u16 selector, Descriptor descriptor, u64 access);
    std::optional<Descriptor> find_descriptor(u16 selector);
    Event load_segment(unsigned segment, u16 selector, unsigned cpl);
    Event load_segments(const Task& task);
    Event enter_task(const Task& task, bool wide);
    void push_error_code(u32 error_code, bool wide);

    // apic_access.cpp
    ApicAccess apic_access() const;
    Leave access_apic(u32 offset);
    Leave finish_apic_write(u32 offset);
    void settle_timer(u32 offset, u64 now);
    Leave apply(const ApicEffect& effect);
    u64 operand_register(const MemoryOperation& operation) const;
    void load_register(const MemoryOperation& operation, u64 value);

    // msr.cpp
    enum class MsrOutcome : u8 {
        Done,
        Fault,  // #GP
        Owner,  // hv does not virtualize it
    };
    struct MsrRead {
        MsrOutcome outcome;
        u64 value = 0;
    };
    struct MsrWrite {
        MsrOutcome outcome;
        Leave leave = {};
    };
    MsrRead read_msr(u32 index) const;
    MsrWrite write_msr(u32 index, u64 value);
    bool write_efer(u64 value);
    u64* stored_msr(u32 index);
    const u64* stored_msr(u32 index) const { return const_cast<Vcpu*>(this)->stored_msr(index); }

    u64 guest_tsc() const;
    void set_guest_tsc(u64 value);
    u64 general(unsigned index) const;
    void set_general(unsigned index, u64 value);

    XsaveArea fpu_;
    Vm& vm_;
    u32 index_;
    HardwareVcpu* hardware_ = nullptr;
    abi::VcpuPage* page_ = nullptr;
    LocalApic apic_;

    std::atomic<u32> requests_{0};
    std::atomic<Activity> activity_{Activity::Active};
    std::atomic<u8> startup_vector_{0};
    std::atomic<int> runs_on_{-1};

    bool check_events_ = true;   // look at events before the next entry
    bool timer_changed_ = true;  // `deadline_` is not what the APIC's registers say
    ApicAccess last_apic_access_ = ApicAccess::Page;      // at an entry
    bool nmi_window_ = false, interrupt_window_ = false;  // asked of hardware
    u8 threshold_ = 0;                                    // likewise, of task priority
    bool owner_window_ = false;                           // the owner waits for an interrupt window
    bool nmi_pending_ = false;
    bool wants_code_ =
        false;  // the exit to report needs the instruction and how to walk the tables
    bool debug_in_use_ = false;  // DR0-DR3 are switched, and not intercepted
    Event pending_event_;
    u64 deadline_ = abi::kNoDeadline;           // of the APIC timer, host TSC
    u64 armed_deadline_ = abi::kNoDeadline;     // in hardware
    u64 reported_deadline_ = abi::kNoDeadline;  // the owner's timer

    u64 xcr0_ = 1;
    std::array<u64, 4> dr_{};
    u64 tsc_offset_ = 0, tsc_adjust_ = 0, tsc_aux_ = 0;
    u64 misc_enable_ = 0, mtrr_def_type_ = 0, mcg_status_ = 0;
    std::array<u64, 11> mtrr_fixed_{};
    std::array<u64, 16> mtrr_variable_{};
};

}  // namespace skep::hv
