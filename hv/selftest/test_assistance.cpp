// What the CPU does by itself for a guest's local APIC, where it can: the same is seen inside
// either way, only the exits differ.
#include "hv/arch/instructions.hpp"
#include "hv/selftest/check.hpp"
#include "hv/selftest/cpus.hpp"
#include "hv/selftest/guest.hpp"
#include "hv/selftest/hypercalls.hpp"
#include "hv/selftest/inside.hpp"
#include "hv/selftest/machine.hpp"

#include <atomic>

namespace skep::hv::selftest {

namespace {

using abi::ExitReason;
using abi::Hypercall;

constexpr u8 kVector = 0x61, kHigher = 0x92;
constexpr u64 kRounds = 50;

inside::Apic local_apic;
std::atomic<u64> received, higher;
std::atomic<bool> listening, over;

// An xAPIC's processor priority is looked at in the first rounds alone: that leaves.
bool skips_priority(u64 round) {
    return !local_apic.x2() && round >= 3;
}

[[gnu::interrupt]] void on_message(inside::Frame*) {
    ++received;
    local_apic.end_of_interrupt();
}

[[gnu::interrupt]] void on_higher(inside::Frame*) {
    GUEST_CHECK(skips_priority(higher) || local_apic.read(apic::kPpr) == (kHigher & 0xf0));
    ++higher;
    local_apic.end_of_interrupt();
}

void send_to_self(u8 vector) {
    if (local_apic.x2())
        local_apic.write(apic::kSelfIpi, vector);
    else
        local_apic.send(0, 0x40000 | vector);
}

// Self-IPIs against a task priority and against IF: three exits per round for who has no help.
// `argument`: as an x2APIC.
void self_sender(u64 argument) {
    local_apic = argument != 0 ? inside::Apic::enable_x2() : inside::Apic::enable_x();
    GUEST_CHECK(local_apic.id() == 0);
    inside::leave(1);
    inside::enable_interrupts();
    for (u64 round = 0; round < kRounds; ++round) {
        local_apic.write(apic::kTpr, kVector);
        send_to_self(kVector);
        GUEST_CHECK(received == round);
        GUEST_CHECK((local_apic.read(apic::kIrr + kVector / 32 * 0x10) & 1u << kVector % 32) != 0);
        GUEST_CHECK(skips_priority(round) || local_apic.read(apic::kPpr) == kVector);
        inside::disable_interrupts();
        send_to_self(kHigher);
        local_apic.write(apic::kTpr, 0);
        GUEST_CHECK(received == round && higher == round);
        inside::enable_interrupts();
        asm volatile("nop");
        GUEST_CHECK(received == round + 1 && higher == round + 1);
    }
    inside::disable_interrupts();
}

void listener(u64) {
    local_apic = inside::Apic::enable_x2();
    inside::enable_interrupts();
    asm volatile("nop");
    listening = true;
    while (!over)
        pause();
    inside::disable_interrupts();
}

void run_listener(u64 argument) {
    auto& guest = *reinterpret_cast<Guest*>(argument);
    enable_local_apic();
    while (guest.run() != ExitReason::Hlt)
        asm volatile("sti; nop; cli");
}

}  // namespace

void count_exits_of_self_sender(bool x2apic) {
    received = higher = 0;
    Guest guest;
    guest.start_function(self_sender, x2apic);
    guest.set_vector(kVector, reinterpret_cast<u64>(&on_message));
    guest.set_vector(kHigher, reinterpret_cast<u64>(&on_higher));
    CHECK_EQ(guest.run_checked(), ExitReason::Io);
    guest.complete();
    const u64 before = host_stats().guest_exits_handled;
    CHECK_EQ(guest.run_checked(), ExitReason::Hlt);
    const u64 exits = host_stats().guest_exits_handled - before;
    CHECK_EQ(received, kRounds);
    CHECK_EQ(higher, kRounds);
    print("  {} exits in {} rounds", exits, kRounds);
    CHECK((host_info().features & abi::kFeatureApicv) != 0 ? exits < kRounds / 3
                                                           : exits > kRounds * 3);
}

TEST(self_ipis_and_priorities_need_no_exits_with_assistance) {
    count_exits_of_self_sender(true);
}
TEST(xapic_needs_no_exits_with_assistance) {
    count_exits_of_self_sender(false);
}

TEST(messages_reach_a_running_guest) {
    if (start_all_cpus() == 1) {
        print("  one CPU only");
        return;
    }
    received = 0;
    listening = over = false;
    Guest guest;
    guest.start_function(listener);
    guest.set_vector(kVector, reinterpret_cast<u64>(&on_message));
    const bool posted = (host_info().features & abi::kFeaturePostedInterrupts) != 0;
    const u32 target = host_info().apic_ids[1];
    run_on(1, run_listener, reinterpret_cast<u64>(&guest));
    while (!listening)
        pause();
    u64 kicked = 0;
    for (u64 round = 0; round < kRounds; ++round) {
        if (call(Hypercall::VmSendMsi, guest.id(), 0xfee0'0000, kVector) != 0) {
            ++kicked;
            send_to_cpu(target);
        }
        while (received == round)
            pause();
        CHECK_EQ(received, round + 1);
    }
    over = true;
    wait_for(1);
    print("  {} of {} had to be kicked", kicked, kRounds);
    // A stay may just have come to its end.
    CHECK(posted ? kicked < kRounds / 4 : kicked == kRounds);
}

// --- an xAPIC's page, whether the CPU answers for it or hv --------------------------------------

namespace {

struct Written {
    u32 offset, value, reads_as;
};
constexpr Written kWritten[] = {
    {apic::kId, ~0u, 0},
    {apic::kVersion, 0, 0x5'0014},
    {apic::kTpr, 0xffff'ff35, 0x35},
    {apic::kTpr, 0, 0},
    {apic::kLdr, ~0u, 0xff00'0000},
    {apic::kLdr, 0x0123'4567, 0x0100'0000},
    {apic::kDfr, 0x1234'5678, 0x1fff'ffff},
    {apic::kDfr, ~0u, ~0u},
    {apic::kIcrHigh, ~0u, 0xff00'0000},
    {apic::kLvtTimer, ~0u, 0x7'00ff},
    {apic::kLvtTimer, 0x1'0040, 0x1'0040},
    {apic::kLvtThermal, ~0u, 0x1'07ff},
    {apic::kLvtPerformance, ~0u, 0x1'07ff},
    {apic::kLvtLint0, ~0u, 0x1'a7ff},
    {apic::kLvtLint1, 0x400, 0x400},
    {apic::kLvtError, ~0u, 0x1'00ff},
    {apic::kLvtError, 0x35, 0x35},
    {apic::kInitialCount, 0x1234'5678, 0x1234'5678},
    {apic::kInitialCount, 0, 0},
    {apic::kDivide, ~0u, 0xb},
    {apic::kEsr, 7, 0},
    {apic::kIsr, ~0u, 0},
    {apic::kIrr + 0x20, ~0u, 0},
    // Off: what is not masked gets it, and cannot lose it.
    {apic::kSvr, 0xff, 0xff},
    {apic::kLvtError, 0x35, 0x1'0035},
    {apic::kSvr, ~0u, 0x1ff},
    {apic::kLvtError, 0x35, 0x35},
};

volatile u32& page_register(u32 offset) {
    return *reinterpret_cast<volatile u32*>(apic::kBaseDefault + offset);
}

void write_registers(u64) {
    local_apic = inside::Apic::enable_x();
    for (const auto& [offset, value, reads_as] : kWritten) {
        local_apic.write(offset, value);
        if (local_apic.read(offset) != reads_as)
            inside::leave(u64{offset} << 32 | local_apic.read(offset));
    }
    GUEST_CHECK((page_register(apic::kLvtLint1) & 1 << 16) != 0);
    // Instructions that read and write, and narrow ones.
    asm volatile("orl $0x10000, %0" : "+m"(page_register(apic::kLvtError)));
    GUEST_CHECK(page_register(apic::kLvtError) == 0x1'0035);
    asm volatile("andl $~0x10000, %0" : "+m"(page_register(apic::kLvtError)));
    GUEST_CHECK(page_register(apic::kLvtError) == 0x35);
    u32 exchanged = 0x37;
    asm volatile("xchgl %0, %1" : "+r"(exchanged), "+m"(page_register(apic::kLvtError)));
    GUEST_CHECK(exchanged == 0x35 && page_register(apic::kLvtError) == 0x37);
    GUEST_CHECK(reinterpret_cast<volatile u8&>(page_register(apic::kLvtError)) == 0x37);
    GUEST_CHECK(reinterpret_cast<volatile u16&>(page_register(apic::kVersion)) == 0x14);
    // What is not there.
    page_register(0x40) = 1;
    GUEST_CHECK(page_register(0x40) == 0);
    GUEST_CHECK((page_register(apic::kEsr) & 0x80) != 0);
    page_register(apic::kEsr) = 0;
    GUEST_CHECK(page_register(apic::kEsr) == 0);
}

}  // namespace

TEST(xapic_registers_read_as_they_should) {
    Guest guest;
    guest.start_function(write_registers);
    while (guest.run_checked() == ExitReason::Io) {
        print("  register {:x} reads as {:x}", guest.page().general.rax >> 32,
              guest.page().general.rax & 0xffff'ffff);
        CHECK(false);
        guest.complete();
    }
    CHECK_EQ(guest.page().reason, ExitReason::Hlt);
}

namespace {

constexpr u64 kElsewhere = 0xfed0'0000, kTravels = 12;
constexpr u32 kNobody = 0x5aa5'5aa5;  // what the owner answers
std::atomic<u64> visits;

u32 load(u64 address) {
    u32 value;
    asm volatile(".byte 0x8b, 0x07" : "=a"(value) : "D"(address) : "memory");  // mov (%rdi), %eax
    return value;
}
void set_base(u64 address, u64 bits) {
    write_msr(msr::kApicBase, address | bits | (read_msr(msr::kApicBase) & apic::kBaseBoot));
}

// Its APIC moves, changes its mode, is turned off and on: elsewhere there is nothing of it.
void traveller(u64) {
    constexpr u64 kUsualTpr = apic::kBaseDefault + apic::kTpr, kX = apic::kBaseEnable,
                  kX2 = apic::kBaseEnable | apic::kBaseX2;
    for (u64 i = 0; i < kTravels; ++i) {
        set_base(apic::kBaseDefault, kX);
        page_register(apic::kTpr) = 0x20;
        GUEST_CHECK(load(kUsualTpr) == 0x20);
        set_base(kElsewhere, kX);
        GUEST_CHECK(load(kElsewhere + apic::kTpr) == 0x20);
        GUEST_CHECK(load(kUsualTpr) == kNobody);
        set_base(apic::kBaseDefault, kX);
        GUEST_CHECK(load(kUsualTpr) == 0x20);
        GUEST_CHECK(load(kElsewhere + apic::kTpr) == kNobody);
        set_base(apic::kBaseDefault, 0);
        GUEST_CHECK(load(kUsualTpr) == kNobody);
        set_base(apic::kBaseDefault, kX);
        page_register(apic::kTpr) = 0x30;
        GUEST_CHECK(load(kUsualTpr) == 0x30);
        set_base(apic::kBaseDefault, kX2);
        GUEST_CHECK(read_msr(0x808) == 0x30);
        GUEST_CHECK(load(kUsualTpr) == kNobody);
        set_base(apic::kBaseDefault, 0);
    }
}

// Stays where it is meanwhile.
void resident(u64) {
    local_apic = inside::Apic::enable_x();
    for (u32 i = 0; !over; i += 0x10) {
        page_register(apic::kTpr) = i & 0xf0;
        GUEST_CHECK(page_register(apic::kTpr) == (i & 0xf0));
        GUEST_CHECK(page_register(apic::kId) >> 24 == 1);
        page_register(apic::kDivide) = i >> 4 & 3;
        GUEST_CHECK(page_register(apic::kDivide) == (i >> 4 & 3));
        ++visits;
    }
}

void run_resident(u64 argument) {
    CHECK_EQ(reinterpret_cast<Guest*>(argument)->run_checked(1), ExitReason::Hlt);
}

}  // namespace

TEST(xapic_moves_and_another_stays) {
    const bool accompanied = start_all_cpus() > 1;
    over = false;
    visits = 0;
    Guest guest(0, 2);
    guest.start_function(traveller, 0, 0);
    guest.start_function(resident, 0, 1);
    if (accompanied)
        run_on(1, run_resident, reinterpret_cast<u64>(&guest));
    u64 answered = 0;
    while (guest.run_checked() == ExitReason::Mmio) {
        abi::VcpuPage& page = guest.page();
        CHECK_EQ(page.mmio.gpa,
                 answered % 4 == 1 ? kElsewhere + apic::kTpr : apic::kBaseDefault + apic::kTpr);
        ++answered;
        page.general.rax = kNobody;
        page.rip += 2;
        page.write_back = abi::kWriteBackGeneral | abi::kWriteBackRip;
    }
    CHECK_EQ(guest.page().reason, ExitReason::Hlt);
    CHECK_EQ(answered, 4 * kTravels);
    over = true;
    if (accompanied) {
        wait_for(1);
        CHECK(visits > 0);
    }
    print("  {} visits meanwhile", visits.load());
}

// The page that the CPU finds there is nobody's mapping.
TEST(xapic_page_is_not_the_owners) {
    alignas(4096) static u8 bitmap[4096];
    Guest guest;
    constexpr u64 kAround = apic::kBaseDefault - (1 << 20), kSize = 2 << 20;
    const auto dirty_log = [&](abi::DirtyLogOp op) {
        return call(Hypercall::VmDirtyLog, guest.id(), kAround, kSize, static_cast<u64>(op),
                    address_of(bitmap));
    };
    guest.start_function(write_registers);
    CHECK_EQ(guest.run_checked(), ExitReason::Hlt);
    CHECK_EQ(dirty_log(abi::DirtyLogOp::Start), 0);
    guest.start_function(write_registers);
    CHECK_EQ(guest.run_checked(), ExitReason::Hlt);
    CHECK_EQ(dirty_log(abi::DirtyLogOp::Harvest), 0);
    for (u64 i = 0; i < kSize / 4096 / 8; ++i)
        CHECK_EQ(bitmap[i], 0);
    CHECK_EQ(dirty_log(abi::DirtyLogOp::Stop), 0);
    CHECK_EQ(call(Hypercall::VmProtect, guest.id(), apic::kBaseDefault, 4096, kAllAccess),
             error(abi::Error::NoEntity));
    // Memory there comes first, until it goes.
    CHECK_EQ(call(Hypercall::VmMap, guest.id(), kAround, kArena, kSize, kAllAccess), 0);
    CHECK_EQ(call(Hypercall::VmUnmap, guest.id(), kAround, kSize), 0);
    guest.start_function(write_registers);
    CHECK_EQ(guest.run_checked(), ExitReason::Hlt);
}

}  // namespace skep::hv::selftest
