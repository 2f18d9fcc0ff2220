// Exits that a guest causes by what it executes.
#include "hv/arch/instructions.hpp"
#include "hv/selftest/check.hpp"
#include "hv/selftest/guest_code.hpp"
#include "hv/selftest/machine.hpp"
#include "hv/selftest/options.hpp"

namespace skep::hv::selftest {

using abi::ExitReason;
using abi::Field;

TEST(host_information) {
    alignas(4096) static u8 frame[4096];
    CHECK_EQ(call(abi::Hypercall::Info, address_of(frame)), 0);
    const auto& info = *reinterpret_cast<const abi::HostInfo*>(frame);
    CHECK_EQ(info.abi_version, abi::kVersion);
    CHECK_EQ(info.vendor, on_amd ? abi::Vendor::Amd : abi::Vendor::Intel);
    CHECK(info.cpu_count >= 1 && info.cpu_count <= 64);
    CHECK_EQ(info.hv_base, 32 << 20);
    CHECK_EQ(info.hv_size, 8 << 20);
    CHECK_EQ(info.xcr0_supported & 3, 3);
    print("  {}, {} CPUs", info.name, info.cpu_count);
}

// hv's first words, in text (BIOS) or drawn (UEFI).
TEST(log_is_on_the_screen) {
    const std::string_view line = screen_line();
    if (line.empty())
        print("  no screen");
    else
        CHECK(line.starts_with("hv: Skep hv "));
    print("  {}", line.substr(0, line.find_last_not_of(' ') + 1));
}

TEST(real_mode_ports) {
    Guest guest;
    guest.load(code::real_io);
    guest.start_real();
    const abi::VcpuPage& page = guest.page();
    CHECK_EQ(guest.run(), ExitReason::Io);
    CHECK_EQ(page.io.port, 0x3f8);
    CHECK_EQ(page.io.size, 1);
    CHECK_EQ(page.io.is_in, 0);
    CHECK_EQ(page.instruction_length, 1);
    CHECK_EQ(page.general.rax & 0xff, 0x41);
    CHECK_EQ(page.rip, 5);
    CHECK_EQ(guest.get(Field::CsBase), Guest::kCode);
    guest.complete();
    CHECK_EQ(guest.run(), ExitReason::Io);
    CHECK_EQ(page.io.is_in, 1);
    guest.page().general.rax = 0x99;
    guest.complete();
    CHECK_EQ(guest.run(), ExitReason::Io);
    CHECK_EQ(page.io.port, 0x80);
    CHECK_EQ(page.io.size, 2);
    CHECK_EQ(page.instruction_length, 2);
    guest.complete();
    CHECK_EQ(guest.run(), ExitReason::Io);
    CHECK_EQ(page.io.size, 4);
    CHECK_EQ(page.instruction_length, 2);  // with the operand-size prefix
    guest.complete();
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    CHECK_EQ(page.general.rbx & 0xff, 0x99);
    CHECK_EQ(page.rip, code::real_io.end - code::real_io.begin);
    CHECK_EQ(guest.run(), ExitReason::Hlt);
}

TEST(string_ports) {
    Guest guest;
    guest.load(code::real_string_io);
    guest.start_real();
    CHECK_EQ(guest.run(), ExitReason::Io);
    const abi::VcpuPage& page = guest.page();
    CHECK_EQ(page.io.port, 0x1f0);
    CHECK_EQ(page.io.size, 2);
    CHECK(page.io.is_string != 0 && page.io.is_rep != 0 && page.io.is_in != 0);
    CHECK_EQ(page.general.rcx & 0xffff, 4);
    CHECK_EQ(page.instruction_length, 2);
    CHECK_EQ(page.instruction_bytes, 15);
    CHECK_EQ(page.instruction[0], 0xf3);
    CHECK_EQ(page.instruction[1], 0x6d);
}

TEST(string_ports_of_each_width) {
    Guest guest;
    guest.load(code::real_string_out);
    guest.start_real();
    const abi::VcpuPage& page = guest.page();
    const struct {
        u8 size;
        bool in, rep;
        u8 length;
    } expected[] = {{1, false, false, 1}, {2, false, false, 1}, {4, false, false, 2},
                    {1, false, true, 2},  {1, true, false, 1},  {2, true, false, 1},
                    {4, true, false, 2},  {4, true, true, 3},   {1, false, false, 2}};
    for (const auto& one : expected) {
        CHECK_EQ(guest.run(), ExitReason::Io);
        CHECK_EQ(page.io.port, 0x3f6);
        CHECK_EQ(page.io.size, one.size);
        CHECK_EQ(page.io.is_in != 0, one.in);
        CHECK_EQ(page.io.is_rep != 0, one.rep);
        CHECK_EQ(page.io.is_string, 1);
        CHECK_EQ(page.instruction_length, one.length);
        CHECK_EQ(page.instruction_bytes, 15);
        CHECK_EQ(page.instruction[0], guest.ram()[Guest::kCode + page.rip]);
        CHECK_EQ(page.general.rsi, 0x20);
        CHECK_EQ(page.general.rdi, 0x30);
        CHECK_EQ(page.rflags & 0x400, 0x400);
        guest.complete();
    }
    CHECK_EQ(guest.run(), ExitReason::Hlt);
}

TEST(triple_fault) {
    Guest guest;
    guest.load(code::real_triple_fault);
    guest.start_real();
    CHECK_EQ(guest.run(), ExitReason::Shutdown);
    CHECK_EQ(guest.get(Field::ActivityState), 2);
    CHECK_EQ(guest.run(), ExitReason::Shutdown);
}

TEST(cpuid_table) {
    Guest guest;
    guest.load(code::long_cpuid);
    guest.start_long();
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    const CpuidResult host = cpuid(0);
    CHECK_EQ(guest.result<u32>(0), 0xd);
    CHECK_EQ(guest.result<u32>(1), host.ebx);
    CHECK_EQ(guest.result<u32>(2), host.ecx);
    CHECK_EQ(guest.result<u32>(3), host.edx);
    CHECK_EQ(guest.result<u32>(4) >> 24, 0);      // APIC id
    CHECK_EQ(guest.result<u32>(5) >> 21 & 1, 1);  // x2APIC
    CHECK_EQ(guest.result<u32>(5) >> 27 & 1, 1);  // OSXSAVE follows CR4
    CHECK_EQ(guest.result<u32>(5) >> 5 & 1, 0);   // no VMX
    CHECK_EQ(guest.result<u32>(6), 0);
    CHECK_EQ(guest.result<u32>(7), 0);
    CHECK_EQ(guest.result<u32>(8), 576);  // XCR0 = 1
    CHECK_EQ(guest.get(Field::Rip), Guest::kCode + (code::long_cpuid.end - code::long_cpuid.begin));
}

TEST(mmio) {
    Guest guest;
    guest.load(code::long_mmio);
    guest.start_long();
    abi::VcpuPage& page = guest.page();
    struct {
        u64 gpa;
        abi::AccessKind access;
        u8 length;
    } const expected[] = {{0xd000'0010, abi::AccessKind::Read, 3},
                          {0xd000'0021, abi::AccessKind::Write, 4},
                          {0xd000'0030, abi::AccessKind::Read, 3},
                          {0xd000'0048, abi::AccessKind::Write, 4}};
    for (const auto& access : expected) {
        CHECK_EQ(guest.run(), ExitReason::Mmio);
        CHECK_EQ(page.mmio.gpa, access.gpa);
        CHECK_EQ(page.mmio.access, access.access);
        CHECK_EQ(page.instruction_bytes, 15);
        CHECK_EQ(page.instruction[0], guest.ram()[page.rip]);
        CHECK_EQ(page.cr3, Guest::kTables);
        CHECK(page.instruction_length == 0 || page.instruction_length == access.length);
        page.general.rax = 0x1122'3344'5566'7788;
        page.rip += access.length;
        page.write_back = abi::kWriteBackGeneral | abi::kWriteBackRip;
    }
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    CHECK_EQ(page.general.rax, 0x1122'3344'5566'7788);
}

TEST(mmio_of_each_width) {
    Guest guest;
    guest.load(code::long_mmio_widths);
    guest.start_long();
    abi::VcpuPage& page = guest.page();
    constexpr abi::AccessKind kRead = abi::AccessKind::Read, kWrite = abi::AccessKind::Write;
    const struct {
        u64 offset;
        abi::AccessKind access;
        bool both;  // reads and writes: reported as either
    } expected[] = {{0, kRead, false},     {2, kRead, false},     {4, kRead, false},
                    {8, kRead, false},     {0x10, kRead, false},  {0x14, kRead, false},
                    {0x21, kWrite, false}, {0x22, kWrite, false}, {0x24, kWrite, false},
                    {0x28, kWrite, false}, {0x30, kWrite, false}, {0x34, kWrite, true},
                    {0x38, kWrite, true},  {0, kRead, false}};
    const u8 lengths[] = {2, 4, 3, 4, 4, 4, 3, 4, 3, 4, 7, 3, 5, 1};
    unsigned i = 0;
    for (const auto& one : expected) {
        CHECK_EQ(guest.run(), ExitReason::Mmio);
        CHECK_EQ(page.mmio.gpa, 0xd000'0000 + one.offset);
        CHECK(page.mmio.access == one.access || (one.both && page.mmio.access == kRead));
        CHECK_EQ(page.instruction[0], guest.ram()[page.rip]);
        CHECK(page.instruction_length == 0 || page.instruction_length == lengths[i]);
        page.rip += lengths[i++];
        page.write_back = abi::kWriteBackRip;
    }
    CHECK_EQ(guest.run(), ExitReason::Hlt);
}

namespace {
// Runs code of which each part takes a #GP that goes to the next.
void check_faults(Code code, u64 count) {
    Guest guest;
    guest.load(code);
    guest.load(code::handler_next, kHandler);
    guest.start_long();
    guest.set_vector(13, kHandler);
    CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
    CHECK_EQ(guest.result(8), count);
    CHECK_EQ(guest.page().rip, Guest::kCode + static_cast<u64>(code.end - code.begin));
}
}  // namespace

TEST(faults_of_privileged_instructions) {
    check_faults(code::long_exits, on_qemu() ? 4 : 5);  // there CR8 takes any value
}

TEST(faults_of_control_registers) {
    if (on_qemu())
        print("  not here: QEMU's processor lets reserved bits be set, and its VMRUN refuses them");
    else
        check_faults(code::long_cr_faults, 4);
}

TEST(instructions_without_effect) {
    Guest guest;
    guest.load(code::long_benign);
    guest.start_long();
    const u64 cr0 = guest.get(Field::Cr0), cr4 = guest.get(Field::Cr4), cr3 = guest.get(Field::Cr3);
    ExitReason reason;
    u64 pauses = 0;
    // A loop of PAUSE may leave as a hint.
    while ((reason = guest.run_timed()) == ExitReason::Pause)
        ++pauses;
    CHECK_EQ(reason, ExitReason::Hlt);
    CHECK_EQ(guest.result(0), 0x77);
    CHECK_EQ(guest.get(Field::TscAux), 0x77);
    CHECK_EQ(guest.get(Field::Cr0), cr0);
    CHECK_EQ(guest.get(Field::Cr3), cr3);
    CHECK_EQ(guest.get(Field::Cr4), cr4);
    CHECK(pauses < 1000);
}

TEST(msrs) {
    Guest guest;
    guest.load(code::long_msr);
    guest.load(code::handler_error, kHandler);
    guest.start_long();
    guest.set_vector(13, kHandler);
    abi::VcpuPage& page = guest.page();
    CHECK_EQ(guest.run(), ExitReason::MsrRead);
    CHECK_EQ(page.msr.index, 0xdead);
    CHECK_EQ(page.instruction_length, 2);
    CHECK_EQ(guest.result(0), 0x1234);
    CHECK_EQ(guest.result(1), 0x0105'0604'0007'0406);
    CHECK_EQ(guest.result<u32>(4), 0x501);  // LMA, LME, SCE
    page.general.rax = 0x55;
    page.general.rdx = 0;
    guest.complete();
    CHECK_EQ(guest.run(), ExitReason::MsrWrite);
    CHECK_EQ(guest.result<u32>(6), 0x55);
    CHECK_EQ(page.msr.value, 77);
    guest.complete();
    // #GP of the bad PAT: its handler returns to the WRMSR for ever, so look after the first.
    page.request_interrupt_window = 0;
    CHECK_EQ(guest.set({{Field::Rflags, 0, 2}}), 0);
    guest.set_vector(13, Guest::kCode + (code::long_msr.end - code::long_msr.begin) - 2);
    CHECK_EQ(guest.run(), ExitReason::Shutdown);  // UD2 without a gate
    CHECK_EQ(guest.get(Field::Pat), 0x0105'0604'0007'0406);
}

TEST(forbidden_instructions) {
    Guest guest;
    guest.load(code::long_forbidden);
    guest.load(code::handler_skip_3, kHandler);
    guest.start_long();
    guest.set_vector(6, kHandler);
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    CHECK_EQ(guest.result(8), 16);
}

TEST(xsetbv) {
    Guest guest;
    guest.load(code::long_xsetbv);
    guest.load(code::handler_skip_3, kHandler);
    guest.start_long();
    // #GP has an error code: the handler drops it into RIP's place by a POP before stepping on.
    guest.ram()[kHandler - 4] = 0x48;
    guest.ram()[kHandler - 3] = 0x83;
    guest.ram()[kHandler - 2] = 0xc4;
    guest.ram()[kHandler - 1] = 0x08;  // add $8, %rsp
    guest.set_vector(13, kHandler - 4);
    const u64 root = read_xcr0();
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    CHECK_EQ(guest.result<u32>(0), 1);
    CHECK_EQ(guest.result<u32>(1), 3);
    CHECK_EQ(guest.result(8), 1);
    CHECK_EQ(guest.get(Field::Xcr0), 3);
    CHECK_EQ(read_xcr0(), root);
}

TEST(control_registers) {
    Guest guest;
    guest.load(code::long_cr);
    guest.start_long();
    CHECK_EQ(guest.run(), ExitReason::Hlt);
    CHECK_EQ(guest.result(0) >> 16 & 1, 1);
    CHECK_EQ(guest.result(1) >> 7 & 1, 1);
    CHECK_EQ(guest.result(2), 0x1234);
    CHECK_EQ(guest.result(3), 0x1234);
    CHECK_EQ(guest.get(Field::Cr0) & 0x10000, 0x10000);
    CHECK_EQ(guest.get(Field::Cr4) & 0x80, 0x80);
    CHECK_EQ(guest.get(Field::Cr2), 0x1234);
    CHECK_EQ(guest.get(Field::Dr0), 0x1234);
}

TEST(immediate_exit) {
    Guest guest;
    guest.load(code::long_spin);
    guest.start_long();
    guest.page().immediate_exit = 1;
    CHECK_EQ(guest.run(), ExitReason::Interrupted);
    CHECK_EQ(guest.result(0), 0);
    CHECK_EQ(guest.page().rip, Guest::kCode);
}

}  // namespace skep::hv::selftest
