// What the paths cost, in TSC ticks (in Bochs: instructions). Printed as `hv-bench: NAME VALUE`.
#include "hv/arch/instructions.hpp"
#include "hv/selftest/check.hpp"
#include "hv/selftest/cpus.hpp"
#include "hv/selftest/guest_code.hpp"
#include "hv/selftest/inside.hpp"
#include "hv/selftest/machine.hpp"

#include <atomic>

namespace skep::hv::selftest {

using abi::ExitReason;
using abi::Field;
using abi::Hypercall;

namespace {
constexpr u64 kRounds = 1000;

abi::HostInfo info;

// XCR0 as kernels have it.
u64 all_components() {
    CHECK_EQ(call(Hypercall::Info, address_of(&info)), 0);
    return info.xcr0_supported & 7;
}
}  // namespace

// First, as other CPUs and guests leave frames in use.
TEST(cost_in_memory) {
    CHECK_EQ(call(Hypercall::Info, address_of(&info)), 0);
    const abi::HostStats stats = host_stats();
    print("hv-bench: memory_kib_used {}", info.hv_size / 1024 - stats.pool_frames_free * 4);
    print("hv-bench: memory_kib_taken {}", info.hv_size / 1024);
}

TEST(cost_of_a_cpuid_exit) {
    Guest guest;
    guest.load(code::long_cpuid_loop);
    guest.start_long();
    CHECK_EQ(guest.set({{Field::Rbx, 0, kRounds}}), 0);
    CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
    print("hv-bench: cpuid_exit {}", guest.result(0) / kRounds);
}

TEST(cost_of_an_exit_to_the_root_domain) {
    Guest guest;
    guest.load(code::long_out_loop);
    guest.start_long();
    CHECK_EQ(guest.set({{Field::Xcr0, 0, all_components()}}), 0);
    CHECK_EQ(guest.run(), ExitReason::Io);
    abi::VcpuPage& page = guest.page();
    const u64 id = guest.id();
    const u64 start = read_tsc();
    for (u64 i = 0; i < kRounds; ++i) {
        page.rip += page.instruction_length;
        page.write_back = abi::kWriteBackRip;
        call(Hypercall::VcpuRun, id, 0);
    }
    print("hv-bench: exit_to_root {}", (read_tsc() - start) / kRounds);
    CHECK_EQ(page.reason, ExitReason::Io);
}

namespace {

// The guest's writes to pages that are not there yet: the exit, vm_protect, and back.
constexpr u64 kDemandBase = 512 << 20, kDemandPages = 64;
alignas(4096) u8 demand_frames[kDemandPages][4096];

void touch_pages(u64) {
    for (u64 i = 0; i < kDemandPages; ++i)
        *reinterpret_cast<volatile u8*>(kDemandBase + i * 4096) = 1;
}

}  // namespace

TEST(cost_of_a_page_mapped_on_demand) {
    Guest guest;
    guest.start_function(touch_pages, 0);
    CHECK_EQ(guest.set({{Field::Xcr0, 0, all_components()}}), 0);
    abi::VcpuPage& page = guest.page();
    const u64 id = guest.id();
    // Frames in reverse order, so that they do not make large pages.
    for (u64 i = 0; i < kDemandPages; ++i)
        CHECK_EQ(call(Hypercall::VmMap, id, kDemandBase + i * 4096,
                      address_of(demand_frames[kDemandPages - 1 - i]), 4096, 0),
                 0);
    CHECK_EQ(guest.run(), ExitReason::PageAbsent);
    const u64 start = read_tsc();
    for (u64 i = 0; i < kDemandPages - 1; ++i) {
        call(Hypercall::VmProtect, id, page.mmio.gpa & ~u64{4095}, 4096, kAllAccess);
        call(Hypercall::VcpuRun, id, 0);
    }
    const u64 ticks = read_tsc() - start;
    CHECK_EQ(page.reason, ExitReason::PageAbsent);
    CHECK_EQ(page.mmio.gpa, kDemandBase + (kDemandPages - 1) * 4096);
    CHECK_EQ(call(Hypercall::VmProtect, id, page.mmio.gpa & ~u64{4095}, 4096, kAllAccess), 0);
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    print("hv-bench: page_on_demand {}", ticks / (kDemandPages - 1));
}

// A write that the dirty log has armed, which hv finishes alone.
TEST(cost_of_a_page_in_the_dirty_log) {
    alignas(4096) static u8 bitmap[4096];
    Guest guest;
    for (u64 i = 0; i < kDemandPages; ++i)
        CHECK_EQ(call(Hypercall::VmMap, guest.id(), kDemandBase + i * 4096,
                      address_of(demand_frames[kDemandPages - 1 - i]), 4096, kAllAccess),
                 0);
    const auto dirty_log = [&](abi::DirtyLogOp op) {
        return call(Hypercall::VmDirtyLog, guest.id(), kDemandBase, kDemandPages * 4096,
                    static_cast<u64>(op), address_of(bitmap));
    };
    CHECK_EQ(dirty_log(abi::DirtyLogOp::Start), 0);
    guest.start_function(touch_pages, 0);
    u64 start = read_tsc();
    CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
    const u64 armed = read_tsc() - start;
    CHECK_EQ(dirty_log(abi::DirtyLogOp::Harvest), 0);
    CHECK_EQ(bitmap[7], 0xff);
    CHECK_EQ(dirty_log(abi::DirtyLogOp::Stop), 0);
    guest.start_function(touch_pages, 0);
    start = read_tsc();
    CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
    print("hv-bench: page_in_dirty_log {}", (armed - (read_tsc() - start)) / kDemandPages);
}

namespace {

constexpr u64 kLoggedSize = 512 << 20, kLoggedStep = 128 << 20, kFewPages = 16;

void touch_few(u64) {
    for (u64 i = 0; i < kFewPages; ++i)
        *reinterpret_cast<volatile u8*>(kDemandBase + i * (kLoggedSize / kFewPages)) = 1;
}

}  // namespace

// A few pages of many: 512 MiB of small pages, which are 32 MiB of memory again and again.
TEST(cost_of_a_harvest) {
    alignas(4096) static u8 bitmap[4096];
    Guest guest;
    constexpr u64 kPart = 32 << 20;
    for (u64 at = 0; at < kLoggedSize; at += kPart)
        CHECK_EQ(
            call(Hypercall::VmMap, guest.id(), kDemandBase + at, kArena + 4096, kPart, kAllAccess),
            0);
    u64 ticks = 0, pages = 0;
    const auto step_through = [&](abi::DirtyLogOp op) {
        const u64 start = read_tsc();
        for (u64 at = 0; at < kLoggedSize; at += kLoggedStep)
            CHECK_EQ(call(Hypercall::VmDirtyLog, guest.id(), kDemandBase + at, kLoggedStep,
                          static_cast<u64>(op), address_of(bitmap)),
                     0);
        ticks = read_tsc() - start;
        for (const u8 byte : bitmap)
            pages += byte != 0;
    };
    step_through(abi::DirtyLogOp::Start);
    guest.start_function(touch_few, 0);
    CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
    step_through(abi::DirtyLogOp::Harvest);
    CHECK_EQ(pages, kFewPages * kLoggedStep / kLoggedSize);  // of the last step
    print("hv-bench: harvest {}", ticks);
}

namespace {

// From the sender's write to its ICR to the handler on another CPU, by way of both owners.
constexpr u8 kVector = 0x61;
constexpr u64 kIpis = 50;
std::atomic<u64> ipis_handled, handled_at, ticks_in_all;
std::atomic<bool> receiver_is_up, stop_receiver;
inside::Apic receiver_apic;

[[gnu::interrupt]] void on_ipi(inside::Frame*) {
    handled_at = read_tsc();
    ++ipis_handled;
    receiver_apic.end_of_interrupt();
}
void receive_ipis(u64) {
    receiver_apic = inside::Apic::enable_x2();
    inside::leave(0);
    receiver_is_up = true;
    inside::enable_interrupts();
    for (;;)
        pause();
}
void send_ipis(u64) {
    const inside::Apic apic = inside::Apic::enable_x2();
    inside::leave(0);
    for (u64 i = 0; i < kIpis; ++i) {
        const u64 before = ipis_handled;
        const u64 now = read_tsc();
        apic.send(1, 1 << 14 | kVector);
        while (ipis_handled == before)
            pause();
        ticks_in_all += handled_at - now;
    }
}
void run_receiver(u64 guest) {
    enable_local_apic();
    while (!stop_receiver) {
        reinterpret_cast<Guest*>(guest)->run(1);
        asm volatile("sti; nop; cli");
    }
}
// Guest TSC minus ours, as seen right after an exit.
u64 tsc_offset(Guest& guest, unsigned vcpu) {
    CHECK_EQ(guest.run(vcpu), ExitReason::Io);
    const u64 offset = guest.page(vcpu).guest_tsc - read_tsc();
    guest.complete(vcpu);
    return offset;
}

}  // namespace

TEST(cost_of_an_ipi) {
    if (start_all_cpus() < 2) {
        print("  one CPU only");
        return;
    }
    CHECK_EQ(call(Hypercall::Info, address_of(&info)), 0);
    Guest guest(0, 2);
    ipis_handled = ticks_in_all = 0;
    stop_receiver = receiver_is_up = false;
    guest.start_function(send_ipis, 0, 0);
    guest.start_function(receive_ipis, 0, 1);
    guest.set_vector(kVector, reinterpret_cast<u64>(&on_ipi));
    const u64 difference = tsc_offset(guest, 1) - tsc_offset(guest, 0);
    run_on(1, run_receiver, reinterpret_cast<u64>(&guest));
    while (!receiver_is_up)
        pause();
    for (;;) {
        const ExitReason reason = guest.run_timed();
        if (reason == ExitReason::WakeVcpus) {
            send_to_cpu(info.apic_ids[1]);
            continue;
        }
        CHECK_EQ(reason, ExitReason::Hlt);
        break;
    }
    CHECK_EQ(ipis_handled, kIpis);
    stop_receiver = true;
    send_to_cpu(info.apic_ids[1]);
    wait_for(1);
    print("hv-bench: ipi {}", (ticks_in_all - kIpis * difference) / kIpis);
}

}  // namespace skep::hv::selftest
