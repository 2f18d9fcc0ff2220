// The guest's local APIC in software (SDM vol. 3, chapter 11): xAPIC and x2APIC registers,
// priorities, the timer. Free of hardware; who holds the vCPU calls everything but `accept`.
//
// Its pages have the layouts of the virtual-APIC page and the posted-interrupt descriptor (SDM vol.
// 3, chapter 30), so that a CPU may work on them while it runs the vCPU.
//
// Times are host TSC, but for IA32_TSC_DEADLINE, which is the guest's. The timer counts the TSC (a
// divide value of 1 is one count per tick). Not emulated: the thermal, performance and CMCI
// interrupts (their LVT entries hold what is written) and arbitration.
#pragma once

#include "hv/abi/vcpu.hpp"
#include "hv/lib/types.hpp"
#include "hv/memory/address.hpp"

#include <array>
#include <atomic>
#include <optional>

namespace skep::hv {

// Offsets in the register page; the x2APIC MSR is 0x800 + offset / 16.
namespace apic {
inline constexpr u32 kId = 0x20, kVersion = 0x30, kTpr = 0x80, kApr = 0x90, kPpr = 0xa0,
                     kEoi = 0xb0, kLdr = 0xd0, kDfr = 0xe0, kSvr = 0xf0, kIsr = 0x100, kTmr = 0x180,
                     kIrr = 0x200, kEsr = 0x280, kLvtCmci = 0x2f0, kIcrLow = 0x300,
                     kIcrHigh = 0x310, kLvtTimer = 0x320, kLvtThermal = 0x330,
                     kLvtPerformance = 0x340, kLvtLint0 = 0x350, kLvtLint1 = 0x360,
                     kLvtError = 0x370, kInitialCount = 0x380, kCurrentCount = 0x390,
                     kDivide = 0x3e0, kSelfIpi = 0x3f0;
inline constexpr u64 kBaseBoot = 1 << 8, kBaseX2 = 1 << 10, kBaseEnable = 1 << 11,
                     kBaseAddress = 0xf'ffff'f000, kBaseDefault = 0xfee0'0000;
}  // namespace apic

enum class DeliveryMode : u8 {
    Fixed = 0,
    LowestPriority = 1,
    Smi = 2,
    Nmi = 4,
    Init = 5,
    Startup = 6,
    ExtInt = 7,
};

// An interrupt message: an ICR write or an MSI.
struct ApicMessage {
    u32 destination;
    bool logical;
    u8 shorthand;  // ICR: 0 none, 1 self, 2 all, 3 all but self
    bool wide;     // 32-bit x2APIC destination
    DeliveryMode mode;
    u8 vector;
    bool level;     // trigger mode
    bool deassert;  // level of an INIT

    static ApicMessage from_icr(u64 icr, bool x2apic);
    static ApicMessage from_msi(u64 address, u32 data);
};

// What a register write asks of the world outside of this APIC.
struct ApicEffect {
    enum class Kind : u8 {
        None,
        Fault,  // an x2APIC access that takes #GP
        EndOfLevel,
        Message,
        Timer,  // the deadline has changed
    } kind = Kind::None;
    u8 vector = 0;
    ApicMessage message{};
};

// Requests on their way from any CPU to the vCPU's holder. Edge-triggered ones are a
// posted-interrupt descriptor (SDM vol. 3, 30.6).
struct Mailbox {
    std::array<std::atomic<u32>, 8> requests{};
    std::atomic<u32> outstanding{0};
    std::array<u32, 7> available{};
};
static_assert(sizeof(Mailbox) == 64);

class LocalApic {
  public:
    using Page = std::array<u32, 1024>;

    void reset(u32 id);  // power-up; INIT keeps id and base, see init()
    void init();
    u32 id() const { return id_; }

    u64 base() const { return base_; }
    // False: reserved bits or a forbidden change of mode (SDM vol. 3, figure 11-27).
    bool set_base(u64 value, u64 address_mask);
    static bool valid_base(u64 value, u64 address_mask);
    void restore_base(u64 value);
    bool enabled() const { return (base_ & apic::kBaseEnable) != 0; }
    bool x2apic() const { return enabled() && (base_ & apic::kBaseX2) != 0; }
    bool xapic() const { return enabled() && (base_ & apic::kBaseX2) == 0; }

    u32 read(u32 offset, u64 now) const;
    ApicEffect write(u32 offset, u32 value, u64 now);
    // What a CPU that works on the page has written to an xAPIC's register; it is as before again.
    u32 take_written(u32 offset);
    // By offset, as `read`; 64 bits only for the ICR.
    std::optional<u64> read_x2(u32 offset, u64 now) const;
    ApicEffect write_x2(u32 offset, u64 value, u64 now);

    // Interrupts. `accept` may be called by any CPU: true if a CPU that empties the mailbox by
    // itself has yet to be told. Level-triggered ones wait for the holder, who wants to see their
    // end.
    bool accepts_fixed() const { return enabled() && (page_[apic::kSvr / 4] & 0x100) != 0; }
    bool accept(u8 vector, bool level);
    bool matches(const ApicMessage& message) const;
    std::optional<u8> deliverable();  // above the processor priority; empties the mailbox first
    std::optional<u8> blocked_by_tpr() const;  // above what is in service, but not above TPR
    std::optional<u8> requested() const { return highest(apic::kIrr); }
    std::optional<u8> in_service() const { return highest(apic::kIsr); }
    void acknowledge(u8 vector);        // IRR to ISR
    ApicEffect ended(u8 vector) const;  // it has left ISR
    u8 processor_priority() const;
    bool accepts_extint() const { return accepts_extint_; }

    u8 tpr() const { return static_cast<u8>(page_[apic::kTpr / 4]); }
    void set_tpr(u8 value) { page_[apic::kTpr / 4] = value; }

    // Timer. `tsc_offset`: guest TSC minus host TSC.
    u64 deadline(u64 now, u64 tsc_offset) const;  // host TSC, abi::kNoDeadline
    // If the deadline has passed: requests the interrupt (unless masked) and disarms or reloads.
    void poll_timer(u64 now, u64 tsc_offset);
    u64 tsc_deadline() const { return timer_mode() == 2 ? tsc_deadline_ : 0; }
    void set_tsc_deadline(u64 guest_tsc);
    void restore_tsc_deadline(u64 guest_tsc) { tsc_deadline_ = guest_tsc; }
    u64 timer_remaining(u64 now) const;  // one-shot and periodic; 0: disarmed
    void set_timer_remaining(u64 ticks, u64 now);

    const Page& page() const { return page_; }
    const Mailbox& mailbox() const { return edge_; }

    // The register page as hv/abi describes it.
    void save(Page& page, u64 now);
    void load(const Page& page);

  private:
    u32& reg(u32 offset) { return page_[offset / 4]; }
    const u32& reg(u32 offset) const { return page_[offset / 4]; }
    unsigned timer_mode() const { return reg(apic::kLvtTimer) >> 17 & 3; }
    u64 divide() const;
    u64 period() const { return reg(apic::kInitialCount) * divide(); }
    u32 current_count(u64 now) const;
    std::optional<u8> highest(u32 base) const;
    u8 in_service_class() const { return in_service().value_or(0) & 0xf0; }
    void keep();
    void take_accepted();  // mailbox to IRR
    void drop_accepted();
    void find_accepts_extint();
    void set_identity();
    ApicEffect end_of_interrupt();
    ApicEffect write_xapic(u32 offset, u32 value, u64 now);
    ApicEffect write_common(u32 offset, u32 value, u64 now);
    void write_lvt(u32 offset, u32 value, u64 now);

    u32 id_ = 0;
    u64 base_ = 0;
    u64 expiry_ = 0;  // one-shot and periodic: host TSC; 0: disarmed
    u64 tsc_deadline_ = 0;
    bool accepts_extint_ = false;  // follows base and LINT0
    std::array<u32, 13> kept_{};   // registers that a CPU may overwrite
    alignas(kPageSize) Page page_{};
    alignas(kPageSize) Mailbox edge_;  // Bochs 3.0 wants it at the start of a page
    Mailbox level_;
};

}  // namespace skep::hv
