// Guest memory: protection, absence, dirty log, ownership.
#include "hv/arch/instructions.hpp"
#include "hv/selftest/check.hpp"
#include "hv/selftest/guest_code.hpp"

#include <cstring>

extern "C" skep::hv::u64 read_guarded(skep::hv::u64 address);

namespace skep::hv::selftest {

using abi::Error;
using abi::ExitReason;
using abi::Field;
using abi::Hypercall;

namespace {

constexpr u64 kAll = abi::kRead | abi::kWrite | abi::kExecute;

alignas(4096) u8 frame[4096];

i64 dirty_log(const Guest& guest, abi::DirtyLogOp op, u64 gpa, u64 size) {
    return call(Hypercall::VmDirtyLog, guest.id(), gpa, size, static_cast<u64>(op),
                address_of(frame));
}

// Lets the guest write `count` pages from `gpa` on.
void fill(Guest& guest, u64 gpa, u64 count, u64 first) {
    CHECK_EQ(guest.set({{Field::Rip, 0, Guest::kCode},
                        {Field::Rdi, 0, gpa},
                        {Field::Rcx, 0, count},
                        {Field::Rbx, 0, first},
                        {Field::ActivityState, 0, 0}}),
             0);
    CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
}

}  // namespace

TEST(protection) {
    Guest guest;
    guest.load(code::long_fill);
    guest.start_long();
    // None: the access leaves and the memory stays; with it back, the same access succeeds.
    CHECK_EQ(call(Hypercall::VmProtect, guest.id(), 0x100000, 0x1000, abi::kNone), 0);
    CHECK_EQ(guest.set({{Field::Rdi, 0, 0x100000}, {Field::Rcx, 0, 1}, {Field::Rbx, 0, 77}}), 0);
    CHECK_EQ(guest.run_timed(), ExitReason::PageAbsent);
    CHECK_EQ(guest.page().mmio.gpa, 0x100000);
    CHECK_EQ(guest.page().mmio.access, abi::AccessKind::Write);
    CHECK_EQ(call(Hypercall::VmProtect, guest.id(), 0x100000, 0x1000, kAll), 0);
    CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
    u64 value;
    std::memcpy(&value, guest.ram() + 0x100000, 8);
    CHECK_EQ(value, 77);
    // Read-only memory: writes are the owner's.
    CHECK_EQ(call(Hypercall::VmProtect, guest.id(), 0x100000, 0x1000, abi::kRead), 0);
    CHECK_EQ(guest.set({{Field::Rip, 0, Guest::kCode},
                        {Field::Rdi, 0, 0x100000},
                        {Field::Rcx, 0, 1},
                        {Field::ActivityState, 0, 0}}),
             0);
    CHECK_EQ(guest.run_timed(), ExitReason::Mmio);
    CHECK_EQ(call(Hypercall::VmUnmap, guest.id(), 0x100000, 0x1000), 0);
    CHECK_EQ(guest.run_timed(), ExitReason::Mmio);
    CHECK_EQ(guest.page().mmio.gpa, 0x100000);
    CHECK_EQ(call(Hypercall::VmProtect, guest.id(), 0x100000, 0x1000, kAll),
             error(Error::NoEntity));
    CHECK_EQ(call(Hypercall::VmMap, guest.id(), 0x100000, address_of(guest.ram()) + 0x101000,
                  0x1000, kAll),
             0);
    CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
    std::memcpy(&value, guest.ram() + 0x101000, 8);
    CHECK_EQ(value, 78);
}

TEST(dirty_log) {
    Guest guest;
    guest.load(code::long_fill);
    guest.start_long();
    fill(guest, 0x100000, 4, 1);
    CHECK_EQ(dirty_log(guest, abi::DirtyLogOp::Start, 0, Guest::kRam), 0);
    // Known random pages, in runs, against what the log tells.
    u64 seed = 12345;
    u8 expected[64];
    for (unsigned round = 0; round < 20; ++round) {
        std::memset(expected, 0, sizeof expected);
        for (unsigned i = 0; i < 10; ++i) {
            seed = seed * 6364136223846793005 + 1442695040888963407;
            const u64 page = 0x60 + (seed >> 33) % 0x180, count = 1 + (seed >> 20) % 8;
            fill(guest, page << 12, count, seed);
            for (u64 p = page; p < page + count; ++p)
                expected[p / 8] |= static_cast<u8>(1 << p % 8);
        }
        CHECK_EQ(dirty_log(guest, abi::DirtyLogOp::Harvest, 0, Guest::kRam), 0);
        // Page tables' accessed bits of the guest itself are writes, too.
        for (u64 p = Guest::kTables >> 12; p < (Guest::kTables >> 12) + 4; ++p)
            expected[p / 8] |= frame[p / 8] & static_cast<u8>(1 << p % 8);
        CHECK_EQ(std::memcmp(frame, expected, sizeof expected), 0);
    }
    CHECK_EQ(dirty_log(guest, abi::DirtyLogOp::Stop, 0, Guest::kRam), 0);
    fill(guest, 0x100000, 4, 1);
    CHECK_EQ(dirty_log(guest, abi::DirtyLogOp::Harvest, 0, Guest::kRam), 0);
    std::memset(expected, 0, sizeof expected);
    CHECK_EQ(std::memcmp(frame, expected, sizeof expected), 0);
    CHECK_EQ(dirty_log(guest, abi::DirtyLogOp::Start, 0, (128 << 20) + 4096),
             error(Error::Invalid));
}

TEST(ownership) {
    Guest guest;
    constexpr u64 kHv = 32 << 20;
    // hv's memory: not readable, not mappable, no buffer, no vCPU page.
    CHECK_EQ(read_guarded(kHv), ~u64{0});
    CHECK_EQ(read_guarded(kHv + (8 << 20) - 8), ~u64{0});
    CHECK(read_guarded(kHv + (8 << 20)) != ~u64{0});
    CHECK_EQ(call(Hypercall::VmMap, guest.id(), 1 << 30, kHv, 4096, kAll), error(Error::Denied));
    CHECK_EQ(call(Hypercall::VmMap, guest.id(), 1 << 30, kHv - 4096, 8192, kAll),
             error(Error::Denied));
    CHECK_EQ(call(Hypercall::VmMap, guest.id(), 1 << 30, 0, u64{1} << 46, kAll),
             error(Error::Denied));
    CHECK_EQ(call(Hypercall::VmMap, guest.id(), 0, address_of(guest.ram()), 4096, kAll),
             error(Error::Exists));
    CHECK_EQ(call(Hypercall::VmMap, guest.id(), 1 << 30, address_of(guest.ram()), 100, kAll),
             error(Error::Invalid));
    CHECK_EQ(call(Hypercall::VmMap, guest.id(), 1 << 30, address_of(guest.ram()), 4096, 8),
             error(Error::Invalid));
    CHECK_EQ(call(Hypercall::VcpuCreate, guest.id(), 1, kHv), error(Error::Denied));
    CHECK_EQ(call(Hypercall::Stats, kHv + 4096), error(Error::Denied));
    CHECK_EQ(call(Hypercall::VcpuGetApic, guest.id(), 0, 0xfee0'0000), error(Error::Denied));
    CHECK_EQ(call(Hypercall::VmDestroy, guest.id() + 64), error(Error::NoEntity));
    CHECK_EQ(call(Hypercall::VcpuRun, guest.id(), 7), error(Error::NoEntity));
    CHECK_EQ(hypercall(9999), error(Error::NoCall));
}

TEST(small_and_large_pages) {
    Guest guest;
    // A hole of one page in a 2 MiB mapping, filled from elsewhere; 256 small mappings side by
    // side.
    CHECK_EQ(call(Hypercall::VmUnmap, guest.id(), 0x1ff000, 0x1000), 0);
    CHECK_EQ(call(Hypercall::VmMap, guest.id(), 0x1ff000, address_of(guest.ram()) + 0x100000,
                  0x1000, kAll),
             0);
    for (u64 i = 0; i < 256; ++i)
        CHECK_EQ(call(Hypercall::VmMap, guest.id(), 0x200000 + i * 0x1000,
                      address_of(guest.ram()) + 0x100000 + (255 - i) * 0x1000, 0x1000, kAll),
                 0);
    guest.load(code::long_fill);
    guest.start_long();
    fill(guest, 0x200000, 256, 1000);
    for (u64 i = 0; i < 256; ++i) {
        u64 value;
        std::memcpy(&value, guest.ram() + 0x100000 + (255 - i) * 0x1000, 8);
        CHECK_EQ(value, 1000 + i);
    }
    fill(guest, 0x1ff000, 1, 5);
    CHECK_EQ(guest.ram()[0x100000], 5);
}

}  // namespace skep::hv::selftest
