// Second-level memory under guests that do more than one thing with it: what was written, what is
// absent, what a translation that has changed means to a TLB.
#include "hv/selftest/check.hpp"
#include "hv/selftest/cpus.hpp"
#include "hv/selftest/guest_code.hpp"
#include "hv/selftest/inside.hpp"

#include <cstring>

namespace skep::hv::selftest {

using abi::ExitReason;
using abi::Field;
using abi::Hypercall;

namespace {

constexpr u64 kPage = 4096, kLarge = 2 << 20;
constexpr u64 kWindow = 512 << 20;  // gpa of what these tests map

class Random {
  public:
    explicit Random(u64 seed) : state_(seed) {}
    u64 next() {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_;
    }
    u64 below(u64 limit) { return (next() >> 11) % limit; }

  private:
    u64 state_;
};

i64 map(const Guest& guest, u64 gpa, u64 hpa, u64 size, u64 protection = kAllAccess) {
    return call(Hypercall::VmMap, guest.id(), gpa, hpa, size, protection);
}
i64 unmap(const Guest& guest, u64 gpa, u64 size) {
    return call(Hypercall::VmUnmap, guest.id(), gpa, size);
}
i64 protect(const Guest& guest, u64 gpa, u64 size, u64 protection) {
    return call(Hypercall::VmProtect, guest.id(), gpa, size, protection);
}

alignas(4096) u8 bitmap[4096];
i64 dirty_log(const Guest& guest, abi::DirtyLogOp op, u64 gpa, u64 size) {
    return call(Hypercall::VmDirtyLog, guest.id(), gpa, size, static_cast<u64>(op),
                address_of(bitmap));
}

// --- dirty log -------------------------------------------------------------------------------

// 12 MiB of large pages, then 4 MiB of small ones, whose frames are one off.
constexpr u64 kDirtyLarge = 12 << 20, kDirtySmall = 4 << 20, kDirtyAll = kDirtyLarge + kDirtySmall;
constexpr u64 kDirtyPages = kDirtyAll / kPage;
constexpr u64 kWrites = 10'000;

struct Write {
    u64 address;
    unsigned kind;
};
// The same for the guest and for the test that foretells it. One in eight crosses a page.
Write next_write(Random& random) {
    const u64 page = random.below(kDirtyPages - 1), kind = random.below(4);
    const u64 offset = random.below(8) == 0 ? kPage - 4 : random.below(kPage / 8 - 1) * 8;
    return {kWindow + page * kPage + offset, static_cast<unsigned>(kind)};
}

void writer(u64 seed) {
    Random random(seed);
    for (u64 i = 1; i <= kWrites; ++i) {
        const Write write = next_write(random);
        switch (write.kind) {
            case 0:
                asm volatile("movq %0, (%1)" : : "r"(i), "r"(write.address) : "memory");
                break;
            case 1:
                asm volatile("lock incq (%0)" : : "r"(write.address) : "memory");
                break;
            case 2: {
                u64 to = write.address, count = 8;
                asm volatile("rep stosb" : "+D"(to), "+c"(count) : "a"(i) : "memory");
                break;
            }
            default:
                // Reads beside it are no writes.
                asm volatile("movq (%0), %%rax; xchgq %%rax, (%1)"
                             :
                             : "r"(kWindow + random.below(kDirtyPages) * kPage), "r"(write.address)
                             : "rax", "memory");
                break;
        }
        if (i % 500 == 0)
            inside::leave(i);
    }
}

}  // namespace

TEST(dirty_log_is_exact) {
    Guest guest;
    CHECK_EQ(map(guest, kWindow, kArena, kDirtyLarge), 0);
    CHECK_EQ(map(guest, kWindow + kDirtyLarge, kArena + kDirtyLarge + kPage, kDirtySmall), 0);
    constexpr u64 kSeed = 0x1234'5678'9abc'def1;
    guest.start_function(writer, kSeed);
    CHECK_EQ(dirty_log(guest, abi::DirtyLogOp::Start, kWindow, kDirtyAll), 0);
    static u8 expected[kDirtyPages / 8];
    Random random(kSeed);
    u64 pages = 0, i = 0;
    while (guest.run_checked() == ExitReason::Io) {
        std::memset(expected, 0, sizeof expected);
        for (const u64 end = guest.page().general.rax; i < end; ++i) {
            const Write write = next_write(random);
            if (write.kind == 3)
                random.below(kDirtyPages);
            for (const u64 at : {write.address, write.address + 7}) {
                const u64 page = (at - kWindow) / kPage;
                expected[page / 8] |= static_cast<u8>(1u << page % 8);
            }
        }
        // Harvested in parts that do not fall on large pages.
        for (u64 at = 0; at < kDirtyAll;) {
            const u64 size = kDirtyAll - at < 5 * kLarge / 4 ? kDirtyAll - at : 5 * kLarge / 4;
            CHECK_EQ(dirty_log(guest, abi::DirtyLogOp::Harvest, kWindow + at, size), 0);
            CHECK_EQ(std::memcmp(bitmap, expected + at / kPage / 8, size / kPage / 8), 0);
            at += size;
        }
        for (u64 page = 0; page < kDirtyPages; ++page)
            pages += expected[page / 8] >> page % 8 & 1;
        guest.complete();
    }
    CHECK_EQ(i, kWrites);
    CHECK_EQ(dirty_log(guest, abi::DirtyLogOp::Stop, kWindow, kDirtyAll), 0);
    print("  {} writes to {} pages", i, pages);
}

// --- dirty log, and how the CPU helps with it ------------------------------------------------

namespace {

constexpr u64 kManyPages = 8192, kWriters = 4, kStride = 8;  // of which each writes one in eight

// Small pages, as their frames are one off.
void map_many(const Guest& guest) {
    CHECK_EQ(map(guest, kWindow, kArena + kPage, kManyPages * kPage), 0);
}

// `argument`: its first page. Each page once.
void one_of_many(u64 argument) {
    for (u64 page = argument; page < kManyPages; page += kStride)
        *reinterpret_cast<volatile u64*>(kWindow + page * kPage) = page;
}
// The same at leisure; the first of them leaves now and then.
void one_of_many_slowly(u64 argument) {
    for (u64 page = argument; page < kManyPages; page += kStride) {
        *reinterpret_cast<volatile u64*>(kWindow + page * kPage) = page;
        for (int i = 0; i < 50; ++i)
            pause();
        if (page % (64 * kStride) == 0)
            inside::leave(page);
    }
}

struct Writer {
    Guest* guest;
    unsigned vcpu;
};
void run_writer(u64 argument) {
    const auto& [guest, vcpu] = *reinterpret_cast<const Writer*>(argument);
    guest->run_timed(vcpu);
}

// Counts for each page how often it was reported.
u64 harvest_many(const Guest& guest, u8 (&times)[kManyPages]) {
    u64 pages = 0;
    CHECK_EQ(dirty_log(guest, abi::DirtyLogOp::Harvest, kWindow, kManyPages * kPage), 0);
    for (u64 page = 0; page < kManyPages; ++page) {
        if ((bitmap[page / 8] >> page % 8 & 1) != 0) {
            ++times[page];
            ++pages;
        }
    }
    return pages;
}

u8 reported[kManyPages];

}  // namespace

// More of them than the list of a CPU that keeps one can hold (512).
TEST(dirty_log_of_many_pages_at_once) {
    Guest guest;
    map_many(guest);
    const u32 features = host_info().features;
    CHECK_EQ(dirty_log(guest, abi::DirtyLogOp::Start, kWindow, kManyPages * kPage), 0);
    for (u64 round = 0; round < 3; ++round) {
        guest.start_function(one_of_many, round);
        const u64 before = host_stats().guest_exits_handled;
        CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
        const u64 exits = host_stats().guest_exits_handled - before;
        print("  {} exits for {} pages", exits, kManyPages / kStride);
        if ((features & abi::kFeaturePml) != 0)
            CHECK(exits > kManyPages / kStride / 512 && exits < 16);
        else if ((features & abi::kFeatureEptAd) != 0)
            CHECK(exits < 2);
        else
            CHECK(exits >= kManyPages / kStride);
        std::memset(reported, 0, sizeof reported);
        CHECK_EQ(harvest_many(guest, reported), kManyPages / kStride);
        for (u64 page = 0; page < kManyPages; ++page)
            CHECK_EQ(reported[page], page % kStride == round);
    }
    CHECK_EQ(harvest_many(guest, reported), 0);
}

// Four vCPUs write, each on a CPU of its own where there are four, while the list is harvested.
TEST(dirty_log_of_running_vcpus) {
    const unsigned cpus = start_all_cpus();
    std::memset(reported, 0, sizeof reported);
    Guest guest(0, kWriters);
    map_many(guest);
    CHECK_EQ(dirty_log(guest, abi::DirtyLogOp::Start, kWindow, kManyPages * kPage), 0);
    for (unsigned vcpu = 0; vcpu < kWriters; ++vcpu)
        guest.start_function(one_of_many_slowly, 2 * vcpu, vcpu);
    Writer writers[kWriters];
    u64 harvests = 0;
    const bool elsewhere = cpus >= kWriters;
    for (unsigned vcpu = 1; elsewhere && vcpu < kWriters; ++vcpu) {
        writers[vcpu] = {&guest, vcpu};
        run_on(vcpu, run_writer, address_of(&writers[vcpu]));
    }
    for (unsigned vcpu = 0; vcpu < (elsewhere ? 1 : kWriters); ++vcpu) {
        while (guest.run_timed(vcpu) == ExitReason::Io) {
            harvest_many(guest, reported);
            ++harvests;
            guest.complete(vcpu);
        }
    }
    for (unsigned vcpu = 1; elsewhere && vcpu < kWriters; ++vcpu)
        wait_for(vcpu);
    harvest_many(guest, reported);
    // Where a write faults first, a harvest may come between the fault and the write.
    const bool faults = (host_info().features & abi::kFeatureEptAd) == 0;
    for (u64 page = 0; page < kManyPages; ++page) {
        if (page % 2 != 0)
            CHECK_EQ(reported[page], 0);
        else
            CHECK(reported[page] == 1 || (faults && reported[page] > 1));
    }
    print("  {} harvests", harvests);
}

// --- pager -----------------------------------------------------------------------------------

namespace {

constexpr u64 kPagedPages = 256;

u64 content(u64 page) {
    return page * 0x9e37'79b9'7f4a'7c15 + 1;
}

void reader(u64) {
    Random random(99);
    for (u64 i = 0; i < 4 * kPagedPages; ++i) {
        const u64 page = random.below(kPagedPages);
        auto* word = reinterpret_cast<volatile u64*>(kWindow + page * kPage + 8);
        // Reads, writes and both at once.
        if (i % 3 == 0)
            word[1] = i;
        else if (i % 3 == 1)
            asm volatile("lock addq $1, (%0)" : : "r"(word + 2) : "memory");
        GUEST_CHECK(*word == content(page));
    }
    for (u64 page = 0; page < kPagedPages; ++page)
        GUEST_CHECK(*reinterpret_cast<volatile u64*>(kWindow + page * kPage + 8) == content(page));
}

// Serves PageAbsent until the guest ends: how many there were.
u64 serve(Guest& guest, u64 first, u64 end, void (*fill)(u64 gpa)) {
    u64 served = 0;
    ExitReason reason;
    while ((reason = guest.run_checked()) == ExitReason::PageAbsent) {
        const u64 gpa = guest.page().mmio.gpa & ~(kPage - 1);
        CHECK(gpa >= first && gpa < end);
        if (gpa < first || gpa >= end)
            return served;
        if (fill != nullptr)
            fill(gpa);
        CHECK_EQ(protect(guest, gpa, kPage, kAllAccess), 0);
        ++served;
    }
    CHECK_EQ(reason, ExitReason::Hlt);
    return served;
}

volatile u64 ticks_seen;
inside::Apic local_apic;
[[gnu::interrupt]] void on_tick(inside::Frame*) {
    ticks_seen = ticks_seen + 1;
    local_apic.end_of_interrupt();
}
void interrupted(u64) {
    local_apic = inside::Apic::enable_x();
    inside::leave(1);
    local_apic.send(0, 0x4041);
    asm volatile("sti; nop; nop; cli" : : : "memory");
    GUEST_CHECK(ticks_seen == 1);
}

}  // namespace

TEST(pager_fills_absent_pages) {
    Guest guest;
    std::memset(reinterpret_cast<void*>(kArena), 0, kPagedPages * kPage);
    CHECK_EQ(map(guest, kWindow, kArena, kPagedPages * kPage, abi::kNone), 0);
    guest.start_function(reader);
    const u64 served = serve(guest, kWindow, kWindow + kPagedPages * kPage, [](u64 gpa) {
        *reinterpret_cast<u64*>(kArena + (gpa - kWindow) + 8) = content((gpa - kWindow) / kPage);
    });
    CHECK_EQ(served, kPagedPages);
}

// Everything is absent: page tables, code, stack, descriptor tables, and what delivers an
// interrupt.
TEST(pager_serves_the_processor_itself) {
    Guest guest;
    guest.start_function(interrupted);
    guest.set_vector(0x41, reinterpret_cast<u64>(&on_tick));
    ticks_seen = 0;
    CHECK_EQ(protect(guest, 0, Guest::kRam, abi::kNone), 0);
    u64 served = 0;
    ExitReason reason;
    bool again = false;
    while ((reason = guest.run_timed()) != ExitReason::Hlt) {
        if (reason == ExitReason::Io) {
            CHECK_EQ(guest.page().io.port, 0x80);
            guest.complete();
            // From here on once more, with the delivery of an interrupt ahead.
            if (!again)
                CHECK_EQ(protect(guest, 0, Guest::kRam, abi::kNone), 0);
            again = true;
            continue;
        }
        CHECK_EQ(reason, ExitReason::PageAbsent);
        if (reason != ExitReason::PageAbsent)
            break;
        CHECK_EQ(protect(guest, guest.page().mmio.gpa & ~(kPage - 1), kPage, kAllAccess), 0);
        ++served;
    }
    CHECK_EQ(ticks_seen, 1);
    CHECK(served >= 8 && served < 40);
    print("  {} pages served", served);
}

// --- translations that change ----------------------------------------------------------------

namespace {

// Reads the word at the window's address in `argument` each time it is let go.
void looker(u64 argument) {
    const auto* word = reinterpret_cast<volatile u64*>(argument);
    for (;;)
        inside::leave(*word);
}

u64 look(Guest& guest) {
    guest.complete();
    CHECK_EQ(guest.run_timed(), ExitReason::Io);
    return guest.page().general.rax;
}

u64& word_at(u64 hpa) {
    return *reinterpret_cast<u64*>(hpa);
}

}  // namespace

TEST(changed_translations_are_seen) {
    constexpr u64 kOffset = 5 * kPage + 64;
    for (const u64 size : {kPage * 16, kLarge, 4 * kLarge}) {
        Guest guest;
        for (u64 at = 0; at < 2 * size; at += kPage)
            word_at(kArena + at + kOffset % kPage) = 0;
        word_at(kArena + kOffset) = 1;
        word_at(kArena + size + kOffset) = 2;
        CHECK_EQ(map(guest, kWindow, kArena, size), 0);
        guest.start_function(looker, kWindow + kOffset);
        CHECK_EQ(guest.run_timed(), ExitReason::Io);
        CHECK_EQ(guest.page().general.rax, 1);
        // The whole moves to other frames.
        CHECK_EQ(unmap(guest, kWindow, size), 0);
        CHECK_EQ(map(guest, kWindow, kArena + size, size), 0);
        CHECK_EQ(look(guest), 2);
        // One page of it (a large page is split): to its neighbour, away, and back.
        CHECK_EQ(unmap(guest, kWindow + 5 * kPage, kPage), 0);
        CHECK_EQ(map(guest, kWindow + 5 * kPage, kArena + 5 * kPage, kPage), 0);
        CHECK_EQ(look(guest), 1);
        CHECK_EQ(unmap(guest, kWindow + 5 * kPage, kPage), 0);
        guest.complete();
        CHECK_EQ(guest.run_timed(), ExitReason::Mmio);
        CHECK_EQ(guest.page().mmio.gpa, kWindow + kOffset);
        CHECK_EQ(map(guest, kWindow + 5 * kPage, kArena + size + 5 * kPage, kPage), 0);
        CHECK_EQ(guest.run_timed(), ExitReason::Io);
        CHECK_EQ(guest.page().general.rax, 2);
        // Absent and back; what lies around it stays.
        CHECK_EQ(protect(guest, kWindow, kPage * 16, abi::kNone), 0);
        guest.complete();
        CHECK_EQ(guest.run_timed(), ExitReason::PageAbsent);
        CHECK_EQ(protect(guest, kWindow, kPage * 16, abi::kRead), 0);
        CHECK_EQ(guest.run_timed(), ExitReason::Io);
        CHECK_EQ(guest.page().general.rax, 2);
    }
}

namespace {

// Writes a rising number to the window for ever.
void scribbler(u64 argument) {
    auto* word = reinterpret_cast<volatile u64*>(argument);
    for (u64 i = 1;; ++i)
        *word = i;
}

struct Elsewhere {
    Guest* guest;
    std::atomic<bool> stop;
    std::atomic<u32> reason;
};
void run_until_stopped(u64 argument) {
    auto& there = *reinterpret_cast<Elsewhere*>(argument);
    ExitReason reason;
    do {
        reason = there.guest->run();
        asm volatile("sti; nop; cli");
    } while (reason == ExitReason::Interrupted && !there.stop);
    there.reason = static_cast<u32>(reason);
}

}  // namespace

// Under a guest that writes on another CPU: once the call returns, nothing arrives any more where
// it was mapped.
TEST(translations_change_under_a_running_guest) {
    if (start_all_cpus() < 2) {
        print("  one CPU only");
        return;
    }
    Guest guest;
    CHECK_EQ(map(guest, kWindow, kArena, kLarge), 0);
    guest.start_function(scribbler, kWindow);
    Elsewhere there{&guest, false, 0};
    run_on(1, run_until_stopped, reinterpret_cast<u64>(&there));
    volatile u64& word = word_at(kArena);
    for (unsigned round = 0; round < 20; ++round) {
        word = 0;
        while (word == 0)
            pause();
        // Writes are blocked and each is noted: the guest goes on.
        CHECK_EQ(dirty_log(guest, abi::DirtyLogOp::Start, kWindow, kLarge), 0);
        word = 0;
        while (word == 0)
            pause();
        CHECK_EQ(dirty_log(guest, abi::DirtyLogOp::Harvest, kWindow, kLarge), 0);
        CHECK_EQ(bitmap[0], 1);
        CHECK_EQ(dirty_log(guest, abi::DirtyLogOp::Stop, kWindow, kLarge), 0);
    }
    CHECK_EQ(unmap(guest, kWindow, kLarge), 0);
    word = 0;
    for (unsigned i = 0; i < 100'000; ++i)
        pause();
    CHECK_EQ(word, 0);
    wait_for(1);
    CHECK_EQ(there.reason, ExitReason::Mmio);
}

// Gone from under it, root and branch: the guest ends, and the VM goes.
TEST(guest_killed_on_another_cpu) {
    if (start_all_cpus() < 2) {
        print("  one CPU only");
        return;
    }
    const u64 before = host_stats().pool_frames_free;
    for (unsigned round = 0; round < 10; ++round) {
        Guest guest;
        CHECK_EQ(map(guest, kWindow, kArena, kLarge), 0);
        guest.start_function(scribbler, kWindow);
        word_at(kArena) = 0;
        Elsewhere there{&guest, true, 0};
        run_on(1, run_until_stopped, reinterpret_cast<u64>(&there));
        while (reinterpret_cast<volatile u64&>(word_at(kArena)) == 0)
            pause();
        CHECK_EQ(call(Hypercall::VmDestroy, guest.id()), error(abi::Error::Busy));
        CHECK_EQ(unmap(guest, 0, u64{1} << 40), 0);
        wait_for(1);
        // Without page tables there is not even a way to fault.
        CHECK(there.reason == static_cast<u32>(ExitReason::Mmio) ||
              there.reason == static_cast<u32>(ExitReason::Interrupted));
    }
    CHECK_EQ(host_stats().pool_frames_free, before);
}

}  // namespace skep::hv::selftest
