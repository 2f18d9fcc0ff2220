// Events and the local APIC.
#include "hv/arch/instructions.hpp"
#include "hv/selftest/check.hpp"
#include "hv/selftest/guest_code.hpp"

namespace skep::hv::selftest {

using abi::ExitReason;
using abi::Field;
using abi::Hypercall;
using abi::InjectKind;

namespace {

constexpr u64 kMsiAddress = 0xfee0'0000;

i64 send_msi(const Guest& guest, u64 data, u64 destination = 0) {
    return call(Hypercall::VmSendMsi, guest.id(), kMsiAddress | destination << 12, data);
}

i64 inject(const Guest& guest, InjectKind kind, u64 vector, u64 error_code = 0) {
    return call(Hypercall::VcpuInject, guest.id(), 0, static_cast<u64>(kind), vector, error_code);
}

u64 handled(const Guest& guest) {
    return guest.result(8);
}

}  // namespace

TEST(xapic_timer) {
    Guest guest;
    guest.load(code::long_xapic_timer);
    guest.load(code::handler_xapic, kHandler);
    guest.start_long();
    guest.set_vector(0x40, kHandler);
    CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
    CHECK(handled(guest) >= 4);
    CHECK_EQ(guest.result<u32>(0), 0);
    CHECK_EQ(guest.result<u32>(1), 0);
    CHECK_EQ(guest.page().timer_deadline, abi::kNoDeadline);
}

TEST(tsc_deadline_timer) {
    Guest guest;
    guest.load(code::long_tsc_deadline);
    guest.load(code::handler_x2apic, kHandler);
    guest.start_long();
    guest.set_vector(0x41, kHandler);
    CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
    CHECK_EQ(handled(guest), 5);
    CHECK_EQ(guest.result<u32>(0), 0);
    CHECK_EQ(guest.get(Field::ApicBase), 0xfee0'0d00);
}

TEST(msi_wakes_a_halted_guest) {
    Guest guest;
    guest.load(code::long_enable_apic);
    guest.load(code::handler_xapic, kHandler);
    guest.start_long();
    guest.set_vector(0x51, kHandler);
    CHECK_EQ(send_msi(guest, 0x51), 0);  // software-disabled: dropped
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    CHECK_EQ(handled(guest), 0);
    CHECK_EQ(send_msi(guest, 0x51), 1);
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    CHECK_EQ(handled(guest), 1);
    CHECK_EQ(send_msi(guest, 0x51, 3), 0);  // nobody's id
    CHECK_EQ(send_msi(guest, 0x51, 0xff), 1);
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    CHECK_EQ(handled(guest), 2);
    // Level-triggered: its EOI is told.
    CHECK_EQ(send_msi(guest, 0xc051), 1);
    CHECK_EQ(guest.run(), ExitReason::ApicEoi);
    CHECK_EQ(guest.page().eoi_vector, 0x51);
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    CHECK_EQ(handled(guest), 3);
}

TEST(interrupt_waits_for_the_flag) {
    Guest guest;
    guest.load(code::long_shadow);
    guest.load(code::handler_xapic, kHandler);
    guest.start_long();
    guest.set_vector(0x52, kHandler);
    CHECK_EQ(guest.run(), ExitReason::Io);
    CHECK_EQ(guest.page().ready_for_interrupt, 0);
    send_msi(guest, 0x52);
    guest.complete();
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    CHECK_EQ(guest.result(0), 0);
    CHECK_EQ(guest.result(1), 1);
}

TEST(task_priority_blocks) {
    Guest guest;
    guest.load(code::long_tpr);
    guest.load(code::handler_xapic, kHandler);
    guest.start_long();
    guest.set_vector(0x50, kHandler);
    CHECK_EQ(guest.run(), ExitReason::Io);
    send_msi(guest, 0x50);
    guest.complete();
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    CHECK_EQ(guest.result(0), 0);
    CHECK_EQ(guest.result<u32>(2), 0x50);
    CHECK_EQ(guest.result(2), 1);
}

TEST(interrupt_window_for_the_8259) {
    Guest guest;
    guest.load(code::long_spin_sti);
    guest.load(code::handler_plain, kHandler);
    guest.start_long();
    guest.set_vector(0x20, kHandler);
    CHECK_EQ(guest.page().apic_accepts_extint, 0);
    guest.page().request_interrupt_window = 1;
    CHECK_EQ(inject(guest, InjectKind::ExternalInterrupt, 0x20), error(abi::Error::Busy));
    CHECK_EQ(guest.run(), ExitReason::InterruptWindow);
    CHECK_EQ(guest.page().ready_for_interrupt, 1);
    CHECK_EQ(inject(guest, InjectKind::ExternalInterrupt, 0x20), 0);
    CHECK_EQ(inject(guest, InjectKind::ExternalInterrupt, 0x20), error(abi::Error::Busy));
    guest.page().request_interrupt_window = 0;
    guest.result(1) = 1;
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    CHECK_EQ(handled(guest), 1);
}

TEST(nmi) {
    Guest guest;
    guest.load(code::long_hlt);
    guest.load(code::handler_plain, kHandler);
    guest.start_long();
    guest.set_vector(2, kHandler);
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    CHECK_EQ(inject(guest, InjectKind::Nmi, 0), 0);
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    CHECK_EQ(handled(guest), 1);
    CHECK_EQ(guest.get(Field::Interruptibility), 0);
    CHECK_EQ(send_msi(guest, 0x400), 1);  // delivery mode NMI
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    CHECK_EQ(handled(guest), 2);
}

TEST(injected_exceptions) {
    Guest guest;
    guest.load(code::long_hlt);
    guest.load(code::handler_plain, kHandler);
    guest.load(code::handler_error, kHandler + 0x100);
    guest.start_long();
    guest.set_vector(6, kHandler);
    guest.set_vector(14, kHandler + 0x100);
    CHECK_EQ(inject(guest, InjectKind::Exception, 6), 0);
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    CHECK_EQ(handled(guest), 1);
    CHECK_EQ(inject(guest, InjectKind::ExceptionWithCode, 14, 0x1f), 0);
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    CHECK_EQ(handled(guest), 2);
    CHECK_EQ(guest.result(9), 0x1f);
    CHECK_EQ(inject(guest, InjectKind::Exception, 32), error(abi::Error::Invalid));
}

TEST(init_startup_and_ipi) {
    Guest guest(0, 2);
    guest.load(code::long_ipi_sender);
    guest.load(code::handler_xapic, kHandler);
    guest.load(code::real_ipi_target, 0x19000);
    guest.start_long(0);
    guest.set_vector(0x50, kHandler);
    CHECK_EQ(guest.get(Field::ActivityState, 1), 3);
    CHECK_EQ(guest.run(1), ExitReason::Hlt);
    CHECK_EQ(guest.run(0), ExitReason::WakeVcpus);
    CHECK_EQ(guest.page(0).wake_mask, 2);
    CHECK_EQ(guest.run(1), ExitReason::Reset);
    CHECK_EQ(guest.run(0), ExitReason::WakeVcpus);
    CHECK_EQ(guest.page(0).wake_mask, 2);
    CHECK_EQ(guest.run(1), ExitReason::Hlt);
    CHECK_EQ(guest.result(0), 1);
    CHECK_EQ(guest.get(Field::CsSelector, 1), 0x1900);
    CHECK_EQ(guest.set({{Field::Rflags, 0, 0x202}}), 0);
    CHECK_EQ(guest.run_timed(0), ExitReason::Hlt);
    CHECK_EQ(handled(guest), 1);
}

}  // namespace skep::hv::selftest
