// Interprocessor interrupts: every delivery mode and destination, and four vCPUs that talk at once.
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

constexpr unsigned kVcpus = 4;
constexpr u8 kVector = 0x61;

// ICR, low half (SDM vol. 3, figure 11-12).
constexpr u32 kFixed = 0, kLowest = 1 << 8, kSmi = 2 << 8, kNmi = 4 << 8, kInit = 5 << 8,
              kStartup = 6 << 8, kExtInt = 7 << 8, kLogical = 1 << 11, kAssert = 1 << 14,
              kLevel = 1 << 15, kSelf = 1 << 18, kAll = 2 << 18, kOthers = 3 << 18;

struct Send {
    u32 destination, command;
};
Send next;
std::atomic<u64> taken[kVcpus], nmis[kVcpus];
inside::Apic apics[kVcpus];

unsigned who() {
    return static_cast<unsigned>(cpuid(1).ebx >> 24);
}

[[gnu::interrupt]] void on_ipi(inside::Frame*) {
    const unsigned me = who();
    ++taken[me];
    apics[me].end_of_interrupt();
}
[[gnu::interrupt]] void on_nmi(inside::Frame*) {
    ++nmis[who()];
}

// Logical ids: 1, 2, 4, 8 flat; in the cluster model two clusters of two.
void set_logical(const inside::Apic& apic, bool cluster) {
    const u32 id = apic.id();
    apic.write(apic::kDfr, cluster ? 0x0fff'ffff : 0xffff'ffff);
    apic.write(apic::kLdr, cluster ? (id / 2) << 28 | 1u << (24 + id % 2) : 1u << (24 + id));
}

// The low bit: x2APIC; the next: cluster model.
void receiver(u64 mode) {
    const unsigned me = who();
    apics[me] = (mode & 1) != 0 ? inside::Apic::enable_x2() : inside::Apic::enable_x();
    if ((mode & 1) == 0)
        set_logical(apics[me], (mode & 2) != 0);
    for (;;)
        inside::wait_for_interrupt();
}
void sender(u64 mode) {
    apics[0] = (mode & 1) != 0 ? inside::Apic::enable_x2() : inside::Apic::enable_x();
    if ((mode & 1) == 0)
        set_logical(apics[0], (mode & 2) != 0);
    inside::enable_interrupts();
    for (;;) {
        inside::leave(0);
        apics[0].send(next.destination, next.command);
    }
}

struct Case {
    Send send;
    u64 fixed, nmi, init;  // masks of the vCPUs that get it
};

// Runs vCPU `index` until it halts; true if it reported a RESET.
bool settle(Guest& guest, unsigned index) {
    bool reset = false;
    for (;;) {
        switch (guest.run_timed(index)) {
            case ExitReason::Reset:
                reset = true;
                break;
            case ExitReason::Hlt:
                return reset;
            default:
                CHECK(false);
                return reset;
        }
    }
}

void start_receivers(Guest& guest, u64 mode, u64 mask = 0xe) {
    for (unsigned i = 1; i < kVcpus; ++i) {
        if ((mask >> i & 1) == 0)
            continue;
        guest.start_function(receiver, mode, i);
        settle(guest, i);
    }
}

void run_cases(u64 mode, std::span<const Case> cases) {
    Guest guest(0, kVcpus);
    start_receivers(guest, mode);
    guest.start_function(sender, mode);
    guest.set_vector(kVector, reinterpret_cast<u64>(&on_ipi));
    guest.set_vector(2, reinterpret_cast<u64>(&on_nmi));
    CHECK_EQ(guest.run_timed(), ExitReason::Io);
    for (const Case& one : cases) {
        for (unsigned i = 0; i < kVcpus; ++i)
            taken[i] = nmis[i] = 0;
        next = one.send;
        guest.complete();
        ExitReason reason = guest.run_timed();
        u64 woken = 0;
        while (reason == ExitReason::WakeVcpus) {
            woken |= guest.page().wake_mask;
            reason = guest.run_timed();
        }
        CHECK_EQ(reason, ExitReason::Io);
        // Others that halted have to be run by their owner: it was told of each.
        const u64 others = (one.fixed | one.nmi | one.init) & ~u64{1};
        const bool lowest = (one.send.command & 0x700) == kLowest;
        if (!lowest)
            CHECK_EQ(woken, others);
        u64 fixed = 0, nmi = 0, init = 0;
        for (unsigned i = 1; i < kVcpus; ++i)
            init |= u64{settle(guest, i)} << i;
        for (unsigned i = 0; i < kVcpus; ++i) {
            fixed |= u64{taken[i] != 0} << i;
            nmi |= u64{nmis[i] != 0} << i;
        }
        if (lowest) {
            CHECK(fixed != 0 && (fixed & (fixed - 1)) == 0 && (fixed & ~one.fixed) == 0);
        } else if (fixed != one.fixed || nmi != one.nmi || init != one.init) {
            print("  ICR {} {}: fixed {} NMI {} INIT {}", Hex{one.send.destination},
                  Hex{one.send.command}, Hex{fixed}, Hex{nmi}, Hex{init});
            CHECK(false);
        }
        for (unsigned i = 1; i < kVcpus; ++i) {
            if ((init >> i & 1) != 0)
                CHECK_EQ(guest.get(Field::ActivityState, i), 3);
        }
        start_receivers(guest, mode, init);
    }
}

constexpr Case kPhysical[] = {
    {{0, kFixed | kVector}, 1, 0, 0},
    {{2, kFixed | kVector}, 4, 0, 0},
    {{2, kFixed | kAssert | kVector}, 4, 0, 0},
    {{9, kFixed | kVector}, 0, 0, 0},
    {{0, kFixed | kSelf | kVector}, 1, 0, 0},
    {{7, kFixed | kAll | kVector}, 0xf, 0, 0},
    {{7, kFixed | kOthers | kVector}, 0xe, 0, 0},
    {{3, kLowest | kVector}, 8, 0, 0},
    {{1, kNmi}, 0, 2, 0},
    {{0, kNmi | kOthers}, 0, 0xe, 0},
    {{2, kSmi}, 0, 0, 0},
    {{2, kExtInt}, 0, 0, 0},
    {{2, kFixed | 8}, 0, 0, 0},             // an illegal vector
    {{0, kInit | kLevel | kAll}, 0, 0, 0},  // INIT level de-assert: nothing since the P6
    {{3, kInit | kAssert}, 0, 0, 8},
    {{0, kInit | kAssert | kOthers}, 0, 0, 0xe},
    {{1, kStartup | kAssert | 0x19}, 0, 0, 0},  // not waiting for it
};
// Before the startups: they run code that is not there.
constexpr std::size_t kWithoutStartup = std::size(kPhysical) - 1;

constexpr Case kFlat[] = {
    {{0xff, kFixed | kVector}, 0xf, 0, 0},  // physical broadcast
    {{0x5, kFixed | kLogical | kVector}, 5, 0, 0},
    {{0xf, kFixed | kLogical | kVector}, 0xf, 0, 0},
    {{0xff, kFixed | kLogical | kVector}, 0xf, 0, 0},
    {{0x30, kFixed | kLogical | kVector}, 0, 0, 0},
    {{0xe, kLowest | kLogical | kVector}, 0xe, 0, 0},
    {{0x8, kNmi | kLogical}, 0, 8, 0},
};
constexpr Case kClusters[] = {
    {{0x01, kFixed | kLogical | kVector}, 1, 0, 0},
    {{0x12, kFixed | kLogical | kVector}, 8, 0, 0},
    {{0x13, kFixed | kLogical | kVector}, 0xc, 0, 0},
    {{0x23, kFixed | kLogical | kVector}, 0, 0, 0},
    {{0xff, kFixed | kLogical | kVector}, 0xf, 0, 0},
};
constexpr Case kX2[] = {
    {{~0u, kFixed | kVector}, 0xf, 0, 0},
    {{0xff, kFixed | kVector}, 0, 0, 0},            // an id like any other
    {{0x5, kFixed | kLogical | kVector}, 5, 0, 0},  // cluster 0
    {{0x1'0005, kFixed | kLogical | kVector}, 0, 0, 0},
    {{~0u, kFixed | kLogical | kVector}, 0xf, 0, 0},
    {{0xa, kLowest | kLogical | kVector}, 0xa, 0, 0},
};

// Four vCPUs, each on a CPU of its own if there are as many: every one sends to every other and
// waits until the handler there has answered.
constexpr u64 kRounds = 40;
std::atomic<u64> sent[kVcpus][kVcpus], answered[kVcpus][kVcpus];
std::atomic<u64> finished;
unsigned spins;  // before a vCPU halts, if each has a CPU
constexpr u8 kWake = 0x78;

template <unsigned Sender>
[[gnu::interrupt]] void on_message(inside::Frame*) {
    const unsigned me = who();
    answered[Sender][me] = sent[Sender][me].load();
    apics[me].send(Sender, 0x4000 | kWake);
    apics[me].end_of_interrupt();
}
[[gnu::interrupt]] void on_wake(inside::Frame*) {
    apics[who()].end_of_interrupt();
}

// Halts until `condition`, which some interrupt follows.
template <class Condition>
void wait_until(Condition condition) {
    inside::enable_interrupts();
    for (unsigned i = 0; i < spins && !condition(); ++i)
        pause();
    inside::disable_interrupts();
    while (!condition())
        inside::wait_for_interrupt();
}

void talk(u64 x2) {
    const unsigned me = who();
    apics[me] = x2 != 0 ? inside::Apic::enable_x2() : inside::Apic::enable_x();
    ++finished;  // ready
    apics[me].send(0, 0x4000 | kOthers | kWake);
    wait_until([] { return finished >= kVcpus; });
    for (u64 round = 0; round < kRounds; ++round) {
        const unsigned target = static_cast<unsigned>(me + 1 + round % (kVcpus - 1)) % kVcpus;
        const u64 number = ++sent[me][target];
        apics[me].send(target, 0x4000 | (0x70 + me));
        wait_until([&] { return answered[me][target] == number; });
    }
    ++finished;
    apics[me].send(0, 0x4000 | kOthers | kWake);
    wait_until([] { return finished >= 2 * kVcpus; });
}

struct Runner {
    Guest* guest;
    unsigned first, step;
};
u32 apic_ids[8];
unsigned cpus_used;

// The owner's part of a wake-up: a vCPU that is running elsewhere leaves and looks.
void kick(u64 mask) {
    for (unsigned i = 0; i < kVcpus; ++i) {
        if ((mask >> i & 1) != 0 && cpus_used > 1)
            send_to_cpu(apic_ids[i % cpus_used]);
    }
}

void run_vcpus(u64 argument) {
    const auto& runner = *reinterpret_cast<const Runner*>(argument);
    bool over[kVcpus]{};
    start_ticks();
    for (unsigned left = (kVcpus - runner.first + runner.step - 1) / runner.step; left != 0;) {
        for (unsigned i = runner.first; i < kVcpus; i += runner.step) {
            if (over[i])
                continue;
            const ExitReason reason = runner.guest->run(i);
            if (reason == ExitReason::WakeVcpus)
                kick(runner.guest->page(i).wake_mask);
            else if (reason == ExitReason::Hlt) {
                over[i] = (runner.guest->page(i).rflags & rflags::kIf) == 0;
                left -= over[i];
            } else if (reason != ExitReason::Interrupted && reason != ExitReason::Pause) {
                print("  vCPU {}: {}", i, name_of(reason));
                CHECK(false);
                over[i] = true;
                --left;
            }
            asm volatile("sti; nop; cli");
        }
    }
    stop_ticks();
}

void test_talk(bool x2) {
    alignas(4096) static u8 frame[4096];
    CHECK_EQ(call(Hypercall::Info, address_of(frame)), 0);
    const unsigned cpus = start_all_cpus();
    cpus_used = cpus >= kVcpus ? kVcpus : cpus >= 2 ? 2 : 1;
    for (unsigned i = 0; i < cpus_used; ++i)
        apic_ids[i] = reinterpret_cast<const abi::HostInfo*>(frame)->apic_ids[i];
    for (unsigned i = 0; i < kVcpus; ++i) {
        for (unsigned j = 0; j < kVcpus; ++j)
            sent[i][j] = answered[i][j] = 0;
    }
    finished = 0;
    spins = cpus_used == kVcpus ? 300 : 0;
    Guest guest(0, kVcpus);
    for (unsigned i = 0; i < kVcpus; ++i)
        guest.start_function(talk, x2, i);
    guest.set_vector(kWake, reinterpret_cast<u64>(&on_wake));
    guest.set_vector(0x70, reinterpret_cast<u64>(&on_message<0>));
    guest.set_vector(0x71, reinterpret_cast<u64>(&on_message<1>));
    guest.set_vector(0x72, reinterpret_cast<u64>(&on_message<2>));
    guest.set_vector(0x73, reinterpret_cast<u64>(&on_message<3>));
    Runner runners[kVcpus];
    for (unsigned i = 0; i < cpus_used; ++i)
        runners[i] = {&guest, i, cpus_used};
    for (unsigned i = 1; i < cpus_used; ++i)
        run_on(i, run_vcpus, reinterpret_cast<u64>(&runners[i]));
    run_vcpus(reinterpret_cast<u64>(&runners[0]));
    for (unsigned i = 1; i < cpus_used; ++i)
        wait_for(i);
    u64 total = 0;
    for (unsigned i = 0; i < kVcpus; ++i) {
        for (unsigned j = 0; j < kVcpus; ++j) {
            CHECK_EQ(sent[i][j], answered[i][j]);
            total += sent[i][j];
        }
    }
    CHECK_EQ(total, kRounds * kVcpus);
    print("  {} interrupts among 4 vCPUs on {} CPUs", total, cpus_used);
}

}  // namespace

TEST(ipi_delivery_modes_xapic) {
    run_cases(0, {kPhysical, kWithoutStartup});
    run_cases(0, kFlat);
    run_cases(2, kClusters);
}

TEST(ipi_delivery_modes_x2apic) {
    run_cases(1, {kPhysical, kWithoutStartup});
    run_cases(1, kX2);
}

TEST(ipis_among_four_vcpus_xapic) {
    test_talk(false);
}

TEST(ipis_among_four_vcpus_x2apic) {
    test_talk(true);
}

}  // namespace skep::hv::selftest
