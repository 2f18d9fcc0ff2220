// State of a vCPU as fields: read, moved to another VM, refused where it is wrong.
#include "hv/selftest/check.hpp"
#include "hv/selftest/guest_code.hpp"
#include "hv/selftest/move.hpp"

#include <cstring>

namespace skep::hv::selftest {

using abi::Error;
using abi::ExitReason;
using abi::Field;
using abi::Hypercall;

namespace {
alignas(4096) u8 xsave[4096], apic[4096];
}

TEST(state_moves_to_another_vm) {
    // With all components, so that the upper halves of YMM count as well.
    Guest first(0), second(1);
    first.load(code::long_state);
    first.start_long();
    for (u64 round = 1; round <= 20; ++round) {
        Guest& from = round % 2 != 0 ? first : second;
        Guest& to = round % 2 != 0 ? second : first;
        CHECK_EQ(from.run_timed(), ExitReason::Io);
        const abi::VcpuPage& page = from.page();
        CHECK_EQ(page.general.rax & 0xff, round);
        CHECK_EQ(page.general.r8, round);
        CHECK_EQ(page.general.r9, round + 1);
        CHECK_EQ(page.general.r15, round + 2);
        CHECK_EQ(page.general.r10, round - 1);
        CHECK_EQ(page.general.r11, round - 1);
        if (round % 4 == 0)
            from.complete();
        else
            CHECK_EQ(from.set({{Field::Rip, 0, page.rip + page.instruction_length}}), 0);
        if (round % 4 == 0) {
            // A completion that is not taken in yet is the page's, not the fields'.
            CHECK_EQ(from.get(Field::Rip), page.rip - page.instruction_length);
            CHECK_EQ(from.set({{Field::Rip, 0, page.rip}}), 0);
            from.page().write_back = 0;
        }
        move(from, to);
    }
}

TEST(timer_and_tsc_move) {
    Guest first(0), second(1);
    first.load(code::long_sti_hlt);
    first.load(code::handler_xapic, kHandler);
    first.start_long();
    first.set_vector(0x60, kHandler);
    CHECK_EQ(call(Hypercall::VcpuGetApic, first.id(), 0, address_of(apic)), 0);
    auto* registers = reinterpret_cast<u32*>(apic);
    registers[0xf0 / 4] = 0x1ff;
    registers[0x320 / 4] = 0x60;
    registers[0x3e0 / 4] = 0xb;
    CHECK_EQ(call(Hypercall::VcpuSetApic, first.id(), 0, address_of(apic)), 0);
    CHECK_EQ(first.set({{Field::ApicTimerRemaining, 0, u64{1} << 40}}), 0);
    // Without a timer in the CPU's own virtualization the owner has to be told first.
    const ExitReason reason = first.run();
    CHECK_EQ(reason == ExitReason::TimerArmed ? first.run() : reason, ExitReason::Hlt);
    move(first, second);
    const u64 remaining = second.get(Field::ApicTimerRemaining);
    CHECK(remaining < u64{1} << 40 && remaining > (u64{1} << 40) - (u64{1} << 34));
    const u64 before = first.get(Field::Tsc), after = second.get(Field::Tsc);
    // Apart by the time between the two reads, either way.
    CHECK(after - before + (u64{1} << 32) < u64{1} << 33);
    CHECK_EQ(second.set({{Field::ApicTimerRemaining, 0, 1000}}), 0);
    CHECK_EQ(second.run_timed(), ExitReason::Hlt);
    CHECK_EQ(second.result(8), 1);
}

TEST(reset_state) {
    Guest guest;
    CHECK_EQ(guest.get(Field::Rip), 0xfff0);
    CHECK_EQ(guest.get(Field::CsBase), 0xffff'0000);
    CHECK_EQ(guest.get(Field::CsSelector), 0xf000);
    CHECK_EQ(guest.get(Field::Rflags), 2);
    CHECK_EQ(guest.get(Field::Cr4), 0);
    CHECK_EQ(guest.get(Field::Efer), 0);
    CHECK_EQ(guest.get(Field::Pat), 0x0007'0406'0007'0406);
    CHECK_EQ(guest.get(Field::ApicBase), 0xfee0'0900);
    CHECK_EQ(guest.get(Field::Xcr0), 1);
    // No ROM there: the first fetch is the owner's.
    CHECK_EQ(guest.run(), ExitReason::Mmio);
    CHECK_EQ(guest.page().mmio.gpa, 0xffff'fff0);
    CHECK_EQ(guest.page().mmio.access, abi::AccessKind::Execute);
}

TEST(wrong_state_is_refused) {
    Guest guest;
    const abi::FieldValue wrong[] = {
        {Field::Cr0, 0, u64{1} << 32},
        {Field::Cr0, 0, 0x8000'0000},
        {Field::Cr4, 0, 1 << 13},
        {Field::Efer, 0, 1 << 12},
        {Field::Rflags, 0, 1 << 3},
        {Field::Lstar, 0, u64{1} << 60},
        {Field::Pat, 0, 2},
        {Field::Xcr0, 0, 2},
        {Field::Dr7, 0, u64{1} << 40},
        {Field::CsAccess, 0, 1 << 20},
        {Field::EsSelector, 0, 0x10000},
        {Field::PendingEvent, 0, 0x8000'0400},
        {Field::ActivityState, 0, 9},
        {Field::ApicBase, 0, 0x400},
        {Field::Interruptibility, 0, 3},
        {Field::GdtrLimit, 0, 0x10000},
        {Field::KernelGsBase, 0, u64{1} << 63},
    };
    for (const abi::FieldValue& value : wrong)
        CHECK_EQ(guest.set({{Field::Rax, 0, 99}, value}), error(Error::Invalid));
    CHECK_EQ(guest.set({{Field::Rax, 1, 99}}), error(Error::Invalid));
    CHECK_EQ(guest.set({{static_cast<Field>(9999), 0, 0}}), error(Error::NoEntity));
    CHECK_EQ(guest.get(Field::Rax), 0);  // nothing was set

    CHECK_EQ(call(Hypercall::VcpuGetXsave, guest.id(), 0, address_of(xsave), 4096) > 0, true);
    xsave[512 + 8] = 1;  // XCOMP_BV
    CHECK_EQ(call(Hypercall::VcpuSetXsave, guest.id(), 0, address_of(xsave), 1024),
             error(Error::Invalid));
    xsave[512 + 8] = 0;
    xsave[519] = 0x80;  // XSTATE_BV bit 63
    CHECK_EQ(call(Hypercall::VcpuSetXsave, guest.id(), 0, address_of(xsave), 1024),
             error(Error::Invalid));
    xsave[519] = 0;
    xsave[27] = 0xff;  // MXCSR
    CHECK_EQ(call(Hypercall::VcpuSetXsave, guest.id(), 0, address_of(xsave), 1024),
             error(Error::Invalid));
    CHECK_EQ(call(Hypercall::VcpuSetXsave, guest.id(), 0, address_of(xsave), 100),
             error(Error::Invalid));
    // A combination that only the CPU itself judges.
    guest.load(code::long_hlt);
    guest.start_long();
    CHECK_EQ(guest.set({{Field::Cr4, 0, 0}}), 0);  // long mode without PAE
    CHECK_EQ(guest.run(), ExitReason::EntryFailed);
}

}  // namespace skep::hv::selftest
