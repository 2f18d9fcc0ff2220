// Guests that go through the modes of the processor, and through its tasks.
#include "hv/arch/registers.hpp"
#include "hv/selftest/check.hpp"
#include "hv/selftest/guest_code.hpp"
#include "hv/selftest/move.hpp"

#include <cstring>

namespace skep::hv::selftest {

using abi::ExitReason;
using abi::Field;

namespace {

constexpr u64 kTables32 = 0x24000, kTablesPae = 0x25000, kOtherPae = 0x26000,
              kDirectories = 0x27000;
constexpr u64 kLongCode = 1 << 13, kDefault32 = 1 << 14;

template <class T>
T* at(const Guest& guest, u64 gpa) {
    return reinterpret_cast<T*>(guest.ram() + gpa);
}

void write_gdt(const Guest& guest) {
    auto* gdt = at<u64>(guest, Guest::kGdt);
    gdt[1] = 0x00af'9b00'0000'ffff;  // 64-bit code
    gdt[2] = 0x00cf'9300'0000'ffff;  // flat data
    gdt[3] = 0x00cf'9b00'0000'ffff;  // flat 32-bit code
    gdt[4] = 0x0000'9b01'0000'ffff;  // 16-bit code at Guest::kCode
    gdt[5] = 0x0000'9300'0000'ffff;  // 16-bit data at 0
}

// Identity of the first 4 MiB in the three formats.
void write_tables(const Guest& guest) {
    at<u32>(guest, kTables32)[0] = 0x83;
    at<u64>(guest, kTablesPae)[0] = kDirectories | 1;
    at<u64>(guest, kOtherPae)[0] = kDirectories | 1;
    at<u64>(guest, kOtherPae)[3] = kDirectories | 1;
    at<u64>(guest, kDirectories)[0] = 0x83;
    at<u64>(guest, kDirectories)[1] = 0x20'0083;
    at<u64>(guest, Guest::kTables)[0] = (Guest::kTables + 0x1000) | 3;
    at<u64>(guest, Guest::kTables + 0x1000)[0] = (Guest::kTables + 0x2000) | 3;
    at<u64>(guest, Guest::kTables + 0x2000)[0] = 0x83;
}

struct Mode {
    bool protection, paging, pae, long_mode;
    u64 code;  // L and D of CS
};
constexpr Mode kWalk[] = {
    {false, false, false, false, 0},        {true, false, false, false, kDefault32},
    {true, true, false, false, kDefault32}, {true, true, true, false, kDefault32},
    {true, true, true, false, kDefault32},  {true, true, true, false, kDefault32},
    {true, true, true, true, kDefault32},   {true, true, true, true, kLongCode},
    {true, true, true, true, kDefault32},   {true, false, true, false, kDefault32},
    {true, false, true, false, 0},          {false, false, true, false, 0},
};

void check_mode(const abi::VcpuPage& page, const Mode& mode) {
    CHECK_EQ((page.cr0 & cr0::kPe) != 0, mode.protection);
    CHECK_EQ((page.cr0 & cr0::kPg) != 0, mode.paging);
    CHECK_EQ((page.cr4 & cr4::kPae) != 0, mode.pae);
    CHECK_EQ((page.efer & efer::kLma) != 0, mode.long_mode);
    CHECK_EQ(page.cs_access_rights & (kLongCode | kDefault32), mode.code);
    CHECK_EQ(page.io.is_string, 1);
    CHECK_EQ(page.instruction_length, 1);
    CHECK(page.instruction_bytes != 0);
    CHECK_EQ(page.instruction[0], 0x6e);
}

void prepare_walk(Guest& guest) {
    write_gdt(guest);
    write_tables(guest);
    guest.load(code::mode_walk);
    guest.start_real();
}

}  // namespace

TEST(walk_through_the_modes) {
    Guest guest;
    prepare_walk(guest);
    u16 port = 0x80;
    for (const Mode& mode : kWalk) {
        CHECK_EQ(guest.run_timed(), ExitReason::Io);
        CHECK_EQ(guest.page().io.port, port++);
        check_mode(guest.page(), mode);
        guest.complete();
    }
    CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
}

// The same with the state moved to another VM at each step.
TEST(state_moves_in_each_mode) {
    Guest first(0), second(1);
    prepare_walk(first);
    u16 port = 0x80;
    Guest *from = &first, *to = &second;
    for (const Mode& mode : kWalk) {
        CHECK_EQ(from->run_timed(), ExitReason::Io);
        CHECK_EQ(from->page().io.port, port++);
        check_mode(from->page(), mode);
        move(*from, *to);
        std::swap(from, to);
        CHECK_EQ(from->set({{Field::Rip, 0, to->page().rip + 1}}), 0);
    }
    CHECK_EQ(from->run_timed(), ExitReason::Hlt);
}

}  // namespace skep::hv::selftest
