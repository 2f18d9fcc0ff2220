// A root domain that means no good, and what is left afterwards.
#include "hv/arch/instructions.hpp"
#include "hv/selftest/check.hpp"
#include "hv/selftest/cpus.hpp"
#include "hv/selftest/guest_code.hpp"
#include "hv/selftest/options.hpp"

#include <array>
#include <atomic>
#include <cstring>

namespace skep::hv::selftest {

using abi::ExitReason;
using abi::Field;
using abi::Hypercall;

namespace {

constexpr u64 kCalls = 1'000'000;

u64 seed = 0x9e37'79b9'7f4a'7c15;
u64 random() {
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

alignas(4096) u8 scratch[4][4096];

// Half likely, half not.
u64 any_argument(u64 vm) {
    switch (random() % 12) {
        case 0:
        case 1:
        case 2:
            return vm;
        case 3:
            return random() % 4;
        case 4:
            return random() % 70;
        case 5:
            return address_of(scratch[random() % 4]);
        case 6:
            return (random() % 4096) << 12;
        case 7:
            return (32 << 20) + ((random() % 4096) << 12);
        case 8:
            return u64{1} << random() % 64;
        case 9:
            return 0xfee0'0000 + random() % 0x100000;
        case 10:
            return -(random() % 5000);
        default:
            return random();
    }
}

// Never the payload's own image but the scratch pages, as hv would rightly fill it with what a call
// reports.
u64 random_argument(u64 vm) {
    constexpr u64 kPayload = 16 << 20, kPayloadEnd = 32 << 20;
    for (;;) {
        const u64 argument = any_argument(vm);
        if (argument < kPayload || argument >= kPayloadEnd ||
            argument - address_of(scratch) < sizeof scratch)
            return argument;
    }
}

void fill(u8 (&frame)[4096]) {
    const bool sparse = random() % 2 == 0;
    auto* words = reinterpret_cast<u64*>(frame);
    for (unsigned i = 0; i < 512; ++i)
        words[i] = sparse ? 0 : random();
    for (unsigned i = 0; i < 16; ++i)
        words[random() % 64] = random_argument(random() % 256);
}

u64 random_number() {
    constexpr std::array<u64, 22> kNumbers = {0,  2,  4,  5,  16, 18, 19, 20, 21, 22, 23,
                                              32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 17};
    return random() % 16 == 0 ? random() : kNumbers[random() % kNumbers.size()];
}

}  // namespace

TEST(random_hypercalls) {
    const abi::HostStats before = host_stats();
    u64 refused = 0, given = 0;
    std::array<u64, 4> vms{};
    for (u64 i = 0; i < kCalls; ++i) {
        u64& vm = vms[random() % vms.size()];
        if (vm == 0 || random() % 64 == 0) {
            const i64 id = call(Hypercall::VmCreate);
            if (vm == 0 && id > 0)
                vm = static_cast<u64>(id);
            else if (id > 0)
                CHECK_EQ(call(Hypercall::VmDestroy, static_cast<u64>(id)), 0);
            if (vm != 0)
                call(Hypercall::VcpuCreate, vm, random() % 3, address_of(scratch[random() % 4]));
        }
        // Structures of noise, or nearly of zeros.
        if (random() % 8 == 0)
            fill(scratch[random() % 4]);
        const u64 number = random_number();
        u64 a[6];
        for (u64& argument : a)
            argument = random_argument(vm);
        if (random() % 4 != 0)
            a[0] = vm;
        // Guests of random state run for a while: a pending interrupt ends that, or they fault.
        if (number == static_cast<u64>(Hypercall::VcpuRun))
            reinterpret_cast<abi::VcpuPage*>(scratch[0])->immediate_exit = 1;
        const i64 result = hypercall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
        refused += result < 0;
        if (number == static_cast<u64>(Hypercall::VmDestroy) && result == 0)
            vm = 0;
        if (number == static_cast<u64>(Hypercall::VmCreate) && result > 0)
            CHECK_EQ(call(Hypercall::VmDestroy, static_cast<u64>(result)), 0);
        if (number == static_cast<u64>(Hypercall::MemoryGive) && result == 0)
            ++given;
        if (number == static_cast<u64>(Hypercall::MemoryTakeBack) && result > 0)
            --given;
    }
    for (const u64 vm : vms) {
        if (vm != 0)
            CHECK_EQ(call(Hypercall::VmDestroy, vm), 0);
    }
    while (call(Hypercall::MemoryTakeBack) > 0)
        --given;
    CHECK_EQ(given, 0);
    const abi::HostStats after = host_stats();
    CHECK_EQ(after.pool_frames_free, before.pool_frames_free);
    CHECK_EQ(after.vms, before.vms);
    CHECK_EQ(after.vcpus, 0);
    CHECK(after.hypercalls_refused - before.hypercalls_refused >= refused);
    print("  {} calls, {} refused", kCalls, refused);
}

TEST(pool_exhaustion) {
    const abi::HostStats before = host_stats();
    std::array<u64, 64> vms{};
    unsigned vcpus = 0;
    i64 last = 0;
    for (u64& vm : vms) {
        const i64 id = call(Hypercall::VmCreate);
        if (id < 0)
            break;
        vm = static_cast<u64>(id);
        for (u64 i = 0; i < 64; ++i) {
            last = call(Hypercall::VcpuCreate, vm, i, address_of(scratch[0]));
            if (last < 0)
                break;
            ++vcpus;
        }
    }
    CHECK_EQ(last, error(abi::Error::NoMemory));
    CHECK(vcpus > 100);
    for (const u64 vm : vms) {
        if (vm != 0)
            CHECK_EQ(call(Hypercall::VmDestroy, vm), 0);
    }
    CHECK_EQ(host_stats().pool_frames_free, before.pool_frames_free);
    print("  {} vCPUs until the pool was empty", vcpus);
}

namespace {

struct Elsewhere {
    Guest* guest;
    std::atomic<bool> stop;
    ExitReason reason;
};

void run_until_told(u64 argument) {
    auto& there = *reinterpret_cast<Elsewhere*>(argument);
    do {
        there.reason = there.guest->run();
    } while (there.reason == ExitReason::Interrupted && !there.stop);
}

}  // namespace

// On a second CPU: what happens to a VM under a vCPU that runs.
TEST(guest_on_another_cpu) {
    if (start_all_cpus() < 2) {
        print("  one CPU only");
        return;
    }
    Guest guest;
    guest.load(code::long_spin);
    guest.start_long();
    Elsewhere there{&guest, false, ExitReason::None};
    run_on(1, run_until_told, reinterpret_cast<u64>(&there));
    while (guest.result(0) < 1000)
        pause();
    CHECK_EQ(call(Hypercall::VcpuRun, guest.id(), 0), error(abi::Error::Busy));
    CHECK_EQ(call(Hypercall::VcpuDestroy, guest.id(), 0), error(abi::Error::Busy));
    CHECK_EQ(call(Hypercall::VmDestroy, guest.id()), error(abi::Error::Busy));
    // Its memory is taken away: after the call it cannot count on.
    CHECK_EQ(call(Hypercall::VmProtect, guest.id(), Guest::kResults, 4096, abi::kNone), 0);
    const u64 counted = guest.result(0);
    wait_for(1);
    CHECK_EQ(there.reason, ExitReason::PageAbsent);
    CHECK_EQ(guest.result(0), counted);
    CHECK_EQ(guest.page().mmio.gpa, Guest::kResults);
    // And goes on here, where it has never run.
    CHECK_EQ(call(Hypercall::VmProtect, guest.id(), Guest::kResults, 4096, 7), 0);
    guest.result(1) = 1;
    CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
    CHECK_EQ(guest.result(0), counted + 1);
}

TEST(nothing_leaks) {
    const u64 before = host_stats().pool_frames_free;
    for (unsigned i = 0; i < 10; ++i) {
        Guest first(0, 2), second(1, 1);
        first.load(code::long_hlt);
        first.start_long();
        CHECK_EQ(first.run(), ExitReason::Hlt);
        CHECK_EQ(call(Hypercall::VcpuDestroy, first.id(), 1), 0);
        CHECK_EQ(call(Hypercall::VcpuRun, first.id(), 1), error(abi::Error::NoEntity));
        CHECK_EQ(call(Hypercall::VcpuCreate, first.id(), 1, address_of(scratch[0])), 0);
    }
    CHECK_EQ(host_stats().pool_frames_free, before);
}

}  // namespace skep::hv::selftest
