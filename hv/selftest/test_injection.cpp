// Injection in each state: where in the code an event arrives that was requested before the first
// instruction.
#include "hv/selftest/check.hpp"
#include "hv/selftest/guest_code.hpp"
#include "hv/selftest/inside.hpp"
#include "hv/selftest/machine.hpp"

#include <cstring>

namespace skep::hv::selftest {

using abi::ExitReason;
using abi::Field;
using abi::Hypercall;
using abi::InjectKind;

namespace {

// Offsets in long_sled: one instruction each.
enum At : u64 {
    kFirst = 0,
    kSecond = 1,
    kAfterSti = 4,   // the instruction in the shadow is at 3
    kAfterCr8 = 12,  // MOV to CR8 at 8
    kNever = ~u64{0},
};

constexpr u8 kInterrupt = 0x51, kException = 6, kOther = 0x62;

struct Arrival {
    u64 vector, rip, depth;
};
Arrival arrivals[8];
volatile u64 arrived, depth;

void arrive(u64 vector, const inside::Frame& frame) {
    arrivals[arrived % 8] = {vector, frame.rip - Guest::kCode, depth};
    arrived = arrived + 1;
}
[[gnu::interrupt]] void on_interrupt(inside::Frame* frame) {
    arrive(kInterrupt, *frame);
}
[[gnu::interrupt]] void on_other(inside::Frame* frame) {
    arrive(kOther, *frame);
}
[[gnu::interrupt]] void on_exception(inside::Frame* frame) {
    arrive(kException, *frame);
}
// Leaves in its middle, so that the test can send another.
[[gnu::interrupt]] void on_nmi(inside::Frame* frame) {
    depth = depth + 1;
    arrive(2, *frame);
    inside::leave(2);
    depth = depth - 1;
}

struct State {
    bool interrupts;  // RFLAGS.IF
    u64 shadow;       // Interruptibility
    u32 priority;     // CR8
};

i64 send_interrupt(const Guest& guest, u8 vector) {
    return call(Hypercall::VmSendMsi, guest.id(), 0xfee0'0000, vector);
}
i64 inject(const Guest& guest, InjectKind kind, u64 vector = 0) {
    return call(Hypercall::VcpuInject, guest.id(), 0, static_cast<u64>(kind), vector, 0);
}

void prepare(Guest& guest, const State& state) {
    alignas(4096) static u8 apic[4096];
    arrived = 0;
    depth = 0;
    CHECK_EQ(call(Hypercall::VcpuGetApic, guest.id(), 0, address_of(apic)), 0);
    std::memset(apic + 0x100, 0, 0x180);  // ISR, TMR, IRR
    *reinterpret_cast<u32*>(apic + apic::kSvr) = 0x1ff;
    *reinterpret_cast<u32*>(apic + apic::kTpr) = state.priority << 4;
    CHECK_EQ(call(Hypercall::VcpuSetApic, guest.id(), 0, address_of(apic)), 0);
    CHECK_EQ(guest.set({{Field::Rip, 0, Guest::kCode},
                        {Field::Rsp, 0, Guest::kStack},
                        {Field::Rflags, 0, state.interrupts ? 0x202u : 2u},
                        {Field::Interruptibility, 0, state.shadow},
                        {Field::ActivityState, 0, 0}}),
             0);
}

// Runs to the end of the sled: the first of the arrivals.
u64 first_arrival(Guest& guest) {
    for (;;) {
        const ExitReason reason = guest.run_timed();
        if (reason != ExitReason::Io) {
            CHECK_EQ(reason, ExitReason::Hlt);
            break;
        }
        guest.complete();
    }
    return arrived == 0 ? u64{kNever} : arrivals[0].rip;
}

void check_arrival(Guest& guest, u64 expected) {
    const u64 rip = first_arrival(guest);
    // QEMU forgets the shadow that it is given.
    if (!(on_qemu() && expected == kSecond && rip == kFirst))
        CHECK_EQ(rip, expected);
}

void start(Guest& guest) {
    guest.start_function(nullptr);
    guest.load(code::long_sled);
    guest.set_vector(2, reinterpret_cast<u64>(&on_nmi));
    guest.set_vector(kException, reinterpret_cast<u64>(&on_exception));
    guest.set_vector(kInterrupt, reinterpret_cast<u64>(&on_interrupt));
    guest.set_vector(kOther, reinterpret_cast<u64>(&on_other));
}

constexpr u64 kSti = 1, kMovSs = 2, kNmiBlocked = 8;

}  // namespace

TEST(interrupts_in_each_state) {
    Guest guest;
    start(guest);
    const struct {
        State state;
        u64 expected;
    } cases[] = {
        {{true, 0, 0}, kFirst},          {{true, kSti, 0}, kSecond},
        {{true, kMovSs, 0}, kSecond},    {{false, 0, 0}, kAfterSti},
        {{false, kMovSs, 0}, kAfterSti}, {{true, kNmiBlocked, 0}, kFirst},
        {{true, 0, 4}, kFirst},          {{true, 0, 5}, kAfterCr8},
        {{true, kSti, 9}, kAfterCr8},    {{false, 0, 15}, kAfterCr8},
    };
    for (const auto& one : cases) {
        prepare(guest, one.state);
        CHECK_EQ(send_interrupt(guest, kInterrupt), 0);
        check_arrival(guest, one.expected);
        CHECK_EQ(arrived, 1);
        CHECK_EQ(arrivals[0].vector, kInterrupt);
    }
}

TEST(nmi_in_each_state) {
    Guest guest;
    start(guest);
    const struct {
        State state;
        u64 expected;
    } cases[] = {
        {{true, 0, 0}, kFirst},     {{false, 0, 0}, kFirst},      {{false, 0, 15}, kFirst},
        {{true, kSti, 0}, kSecond}, {{true, kMovSs, 0}, kSecond}, {{false, kNmiBlocked, 0}, kNever},
    };
    for (const auto& one : cases) {
        prepare(guest, one.state);
        CHECK_EQ(inject(guest, InjectKind::Nmi), 0);
        check_arrival(guest, one.expected);
        CHECK_EQ(arrived, one.expected != kNever);
        CHECK_EQ(guest.get(Field::NmiPending), one.expected == kNever);
        CHECK_EQ(guest.get(Field::Interruptibility) & kNmiBlocked, one.state.shadow & kNmiBlocked);
        CHECK_EQ(guest.set({{Field::NmiPending, 0, 0}}), 0);
    }
}

TEST(exceptions_in_each_state) {
    Guest guest;
    start(guest);
    for (const State& state : {State{true, 0, 0}, State{false, 0, 15}, State{true, kSti, 0},
                               State{false, kNmiBlocked, 0}}) {
        prepare(guest, state);
        CHECK_EQ(inject(guest, InjectKind::Exception, kException), 0);
        CHECK_EQ(first_arrival(guest), kFirst);
        CHECK_EQ(arrived, 1);
    }
}

// NMIs that arrive in an NMI's handler wait for its IRET, and two of them are one.
TEST(nmi_window) {
    Guest guest;
    start(guest);
    prepare(guest, {false, 0, 0});
    CHECK_EQ(inject(guest, InjectKind::Nmi), 0);
    CHECK_EQ(guest.run_timed(), ExitReason::Io);
    CHECK_EQ(guest.get(Field::Interruptibility) & kNmiBlocked, kNmiBlocked);
    CHECK_EQ(inject(guest, InjectKind::Nmi), 0);
    CHECK_EQ(inject(guest, InjectKind::Nmi), 0);
    guest.complete();
    CHECK_EQ(guest.run_timed(), ExitReason::Io);
    CHECK_EQ(arrived, 2);
    CHECK_EQ(arrivals[1].depth, 1);
    guest.complete();
    CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
    CHECK_EQ(arrived, 2);
    CHECK_EQ(guest.get(Field::Interruptibility), 0);
}

TEST(priorities) {
    Guest guest;
    start(guest);
    // The higher vector first; within a handler that has not ended it nothing of its class or
    // below.
    prepare(guest, {true, 0, 0});
    CHECK_EQ(send_interrupt(guest, kInterrupt), 0);
    CHECK_EQ(send_interrupt(guest, kOther), 0);
    first_arrival(guest);
    CHECK_EQ(arrived, 1);
    CHECK_EQ(arrivals[0].vector, kOther);
    // An NMI before both, an exception before the NMI.
    prepare(guest, {true, 0, 0});
    CHECK_EQ(send_interrupt(guest, kInterrupt), 0);
    CHECK_EQ(inject(guest, InjectKind::Nmi), 0);
    CHECK_EQ(inject(guest, InjectKind::Exception, kException), 0);
    first_arrival(guest);
    CHECK_EQ(arrived, 3);
    // Each finds the handler of the one before it not begun, or ended.
    u64 seen = 0;
    for (u64 i = 0; i < 3; ++i)
        seen |= u64{1} << arrivals[i].vector % 64;
    CHECK_EQ(seen, u64{1} << 2 | u64{1} << kException | u64{1} << kInterrupt % 64);
}

// Set from outside in the state of an interrupted delivery, an event is delivered as if it had been
// there.
TEST(pending_event_is_delivered) {
    Guest guest;
    start(guest);
    prepare(guest, {true, kSti, 0});
    CHECK_EQ(guest.set({{Field::Interruptibility, 0, 0},
                        {Field::PendingEvent, 0, 0x8000'0000 | kInterrupt}}),
             0);
    CHECK_EQ(inject(guest, InjectKind::Exception, kException), error(abi::Error::Busy));
    CHECK_EQ(guest.get(Field::PendingEvent), 0x8000'0000 | kInterrupt);
    CHECK_EQ(first_arrival(guest), kFirst);
    CHECK_EQ(arrivals[0].vector, kInterrupt);
    CHECK_EQ(guest.get(Field::PendingEvent), 0);
}

}  // namespace skep::hv::selftest
