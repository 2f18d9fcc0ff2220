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

[[gnu::interrupt]] void on_message(inside::Frame*) {
    ++received;
    local_apic.end_of_interrupt();
}

[[gnu::interrupt]] void on_higher(inside::Frame*) {
    GUEST_CHECK(local_apic.read(apic::kPpr) == (kHigher & 0xf0));
    ++higher;
    local_apic.end_of_interrupt();
}

// Self-IPIs against a task priority and against IF: three exits per round for who has no help.
void self_sender(u64) {
    local_apic = inside::Apic::enable_x2();
    inside::leave(1);
    inside::enable_interrupts();
    for (u64 round = 0; round < kRounds; ++round) {
        local_apic.write(apic::kTpr, kVector);
        local_apic.write(apic::kSelfIpi, kVector);
        GUEST_CHECK(received == round);
        GUEST_CHECK((local_apic.read(apic::kIrr + kVector / 32 * 0x10) & 1u << kVector % 32) != 0);
        GUEST_CHECK(local_apic.read(apic::kPpr) == kVector);
        inside::disable_interrupts();
        local_apic.write(apic::kSelfIpi, kHigher);
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

TEST(self_ipis_and_priorities_need_no_exits_with_assistance) {
    received = higher = 0;
    Guest guest;
    guest.start_function(self_sender);
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
    CHECK((host_info().features & abi::kFeatureApicv) != 0 ? exits < kRounds : exits > kRounds * 3);
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

}  // namespace skep::hv::selftest
