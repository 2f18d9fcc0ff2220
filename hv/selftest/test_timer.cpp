// The APIC timer: three modes, in xAPIC and in x2APIC mode.
#include "hv/selftest/check.hpp"
#include "hv/selftest/guest_code.hpp"
#include "hv/selftest/inside.hpp"

namespace skep::hv::selftest {

using abi::ExitReason;
using abi::Field;

namespace {

constexpr u8 kVector = 0x41;
constexpr u32 kMasked = 1 << 16, kPeriodic = 1 << 17, kDeadline = 1 << 18;

inside::Apic local_apic;
volatile u64 fired;

[[gnu::interrupt]] void on_timer(inside::Frame*) {
    fired = fired + 1;
    local_apic.end_of_interrupt();
}

void wait_for(u64 count) {
    while (fired < count)
        inside::wait_for_interrupt();
}
void spin(u64 ticks) {
    const u64 end = read_tsc() + ticks;
    inside::enable_interrupts();
    while (read_tsc() < end)
        pause();
    inside::disable_interrupts();
}

void one_shot() {
    const inside::Apic& apic = local_apic;
    apic.write(apic::kDivide, 0xb);
    apic.write(apic::kLvtTimer, kVector);
    apic.write(apic::kInitialCount, 500'000);
    const u64 first = apic.read(apic::kCurrentCount);
    GUEST_CHECK(first <= 500'000);
    GUEST_CHECK(apic.read(apic::kInitialCount) == 500'000);
    wait_for(1);
    GUEST_CHECK(apic.read(apic::kCurrentCount) == 0);
    spin(200'000);
    GUEST_CHECK(fired == 1);
    // A divider of 128: 128 times as long.
    apic.write(apic::kDivide, 0xa);
    const u64 start = read_tsc();
    apic.write(apic::kInitialCount, 2'000);
    wait_for(2);
    GUEST_CHECK(read_tsc() - start >= 256'000);
    apic.write(apic::kDivide, 0xb);
    // Masked it counts down all the same; a count of zero stops it.
    apic.write(apic::kLvtTimer, kMasked | kVector);
    apic.write(apic::kInitialCount, 10'000);
    spin(50'000);
    GUEST_CHECK(apic.read(apic::kCurrentCount) == 0);
    apic.write(apic::kLvtTimer, kVector);
    apic.write(apic::kInitialCount, 1u << 31);
    GUEST_CHECK(apic.read(apic::kCurrentCount) != 0);
    apic.write(apic::kInitialCount, 0);
    GUEST_CHECK(apic.read(apic::kCurrentCount) == 0);
    spin(50'000);
    GUEST_CHECK(fired == 2);
}

void periodic() {
    const inside::Apic& apic = local_apic;
    fired = 0;
    apic.write(apic::kLvtTimer, kPeriodic | kVector);
    const u64 start = read_tsc();
    apic.write(apic::kInitialCount, 300'000);
    wait_for(5);
    GUEST_CHECK(read_tsc() - start >= 5 * 300'000);
    GUEST_CHECK(apic.read(apic::kCurrentCount) <= 300'000);
    apic.write(apic::kInitialCount, 0);
    const u64 count = fired;
    spin(900'000);
    GUEST_CHECK(fired <= count + 1);
}

void tsc_deadline() {
    const inside::Apic& apic = local_apic;
    fired = 0;
    apic.write(apic::kLvtTimer, kDeadline | kVector);
    GUEST_CHECK(read_msr(msr::kTscDeadline) == 0);
    apic.write(apic::kInitialCount, 1'000);  // means nothing in this mode
    spin(50'000);
    GUEST_CHECK(fired == 0);
    for (u64 i = 1; i <= 3; ++i) {
        const u64 deadline = read_tsc() + 300'000;
        write_msr(msr::kTscDeadline, deadline);
        wait_for(i);
        GUEST_CHECK(read_tsc() >= deadline);
        GUEST_CHECK(read_msr(msr::kTscDeadline) == 0);
    }
    // One that has passed fires at once; zero disarms; so does another mode.
    write_msr(msr::kTscDeadline, read_tsc() - 1);
    wait_for(4);
    write_msr(msr::kTscDeadline, read_tsc() + (1 << 28));
    write_msr(msr::kTscDeadline, 0);
    spin(50'000);
    GUEST_CHECK(fired == 4);
    const u64 far = read_tsc() + (u64{1} << 40);
    write_msr(msr::kTscDeadline, far);
    GUEST_CHECK(read_msr(msr::kTscDeadline) == far);
    apic.write(apic::kLvtTimer, kVector);
    GUEST_CHECK(read_msr(msr::kTscDeadline) == 0);
    write_msr(msr::kTscDeadline, read_tsc() + 1'000);  // ignored
    spin(50'000);
    GUEST_CHECK(fired == 4);
}

void timer_guest(u64 x2) {
    local_apic = x2 != 0 ? inside::Apic::enable_x2() : inside::Apic::enable_x();
    fired = 0;
    one_shot();
    periodic();
    tsc_deadline();
}

void test_timer(bool x2) {
    Guest guest;
    guest.start_function(timer_guest, x2);
    guest.set_vector(kVector, reinterpret_cast<u64>(&on_timer));
    CHECK_EQ(guest.run_checked(), ExitReason::Hlt);
    CHECK_EQ(guest.page().timer_deadline, abi::kNoDeadline);
}

}  // namespace

TEST(timer_modes_xapic) {
    test_timer(false);
}

TEST(timer_modes_x2apic) {
    test_timer(true);
}

}  // namespace skep::hv::selftest
