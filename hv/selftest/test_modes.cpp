// Guests that go through the modes of the processor, and through its tasks.
#include "hv/arch/registers.hpp"
#include "hv/selftest/check.hpp"
#include "hv/selftest/guest_code.hpp"
#include "hv/selftest/machine.hpp"
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

// A task state segment, 32 bits wide (SDM vol. 3, figure 8-2).
struct Tss {
    u32 link, stacks[6], cr3, eip, eflags, general[8], selectors[6], ldtr, trap_and_map;
};
static_assert(sizeof(Tss) == 104);
// 16 bits wide (figure 8-10).
struct Tss16 {
    u16 link, stacks[6], ip, flags, general[8], selectors[4], ldtr;
};
static_assert(sizeof(Tss16) == 44);
constexpr u64 kTaskA = 0x28000, kTaskB = 0x28ff0, kTaskC = 0x2a000;  // B lies in two pages
constexpr u16 kCode32 = 0x18, kFlatData = 0x10, kSelectorA = 0x30, kSelectorB = 0x38,
              kSelectorC = 0x48, kCodeAtCode = 0x50, kNoSelector = 0x58;

u64 task_descriptor(u64 base) {
    return (sizeof(Tss) - 1) | base << 16 | u64{0x89} << 40;
}

// With paging in 32-bit tables, task_walk.
void prepare_tasks(Guest& guest) {
    write_gdt(guest);
    write_tables(guest);
    guest.load(code::task_walk);
    auto* gdt = at<u64>(guest, Guest::kGdt);
    gdt[kSelectorA / 8] = task_descriptor(kTaskA);
    gdt[kSelectorB / 8] = task_descriptor(kTaskB);
    gdt[8] = u64{kSelectorB} << 16 | u64{0x85} << 40;  // task gate
    at<u64>(guest, Guest::kIdt)[0x30] = gdt[8];
    auto* b = at<Tss>(guest, kTaskB);
    b->cr3 = kTables32;
    b->eip = static_cast<u32>(Guest::kCode + (task_walk_b - code::task_walk.begin));
    b->eflags = 2;
    b->general[3] = 0x22;
    b->general[4] = 0x7000;
    for (u32& selector : b->selectors)
        selector = kFlatData;
    b->selectors[1] = kCode32;
    at<Tss>(guest, kTaskA)->cr3 = kTables32;
    guest.start_real();
    const auto segment = [&](Field first, u64 selector, u64 access) {
        const auto number = static_cast<u32>(first);
        CHECK_EQ(guest.set({{first, 0, selector},
                            {static_cast<Field>(number + 1), 0, 0},
                            {static_cast<Field>(number + 2), 0, 0xffff'ffff},
                            {static_cast<Field>(number + 3), 0, access}}),
                 0);
    };
    segment(Field::CsSelector, kCode32, 0xc09b);
    for (const Field data : {Field::EsSelector, Field::SsSelector, Field::DsSelector,
                             Field::FsSelector, Field::GsSelector})
        segment(data, kFlatData, 0xc093);
    CHECK_EQ(guest.set({{Field::Cr3, 0, kTables32},
                        {Field::Cr4, 0, cr4::kPse},
                        {Field::Cr0, 0, cr0::kPg | cr0::kPe | cr0::kNe | cr0::kEt},
                        {Field::GdtrBase, 0, Guest::kGdt},
                        {Field::GdtrLimit, 0, kNoSelector - 1},
                        {Field::IdtrBase, 0, Guest::kIdt},
                        {Field::IdtrLimit, 0, 0xfff},
                        {Field::Rip, 0, Guest::kCode},
                        {Field::Rsp, 0, 0x8000}}),
             0);
}

void expect_task(Guest& guest, u16 port, u64 al) {
    CHECK_EQ(guest.run_timed(), ExitReason::Io);
    CHECK_EQ(guest.page().io.port, port);
    CHECK_EQ(guest.page().general.rax & 0xff, al);
    guest.complete();
}

bool is_busy(Guest& guest, u16 selector) {
    return (at<u64>(guest, Guest::kGdt)[selector / 8] >> 41 & 1) != 0;
}

// From A to B and back by jumps, which leave nothing to return to.
void expect_jumps(Guest& guest) {
    constexpr u64 kNestedTask = 1 << 14;
    *at<u16>(guest, kTaskB) = 0;  // the link
    expect_task(guest, 0x86, 0x24);
    CHECK_EQ(guest.get(Field::Rflags) & kNestedTask, 0);
    CHECK_EQ(*at<u16>(guest, kTaskB), 0);
    CHECK(!is_busy(guest, kSelectorA) && is_busy(guest, kSelectorB));
    expect_task(guest, 0x87, 0x11);
    CHECK(is_busy(guest, kSelectorA) && !is_busy(guest, kSelectorB));
}

}  // namespace

// By CALL, by IRET, and by an interrupt through a task gate.
TEST(task_switches) {
    Guest guest;
    prepare_tasks(guest);
    constexpr u64 kAccessed = u64{1} << 40;
    u64& data = at<u64>(guest, Guest::kGdt)[kFlatData / 8];
    data &= ~kAccessed;
    expect_task(guest, 0x80, 0x22);
    CHECK(on_qemu() || (data & kAccessed) != 0);  // its own switch leaves it
    CHECK_EQ(at<Tss>(guest, kTaskB)->link & 0xffff, kSelectorA);
    CHECK_EQ(guest.get(Field::TrSelector), kSelectorB);
    CHECK(((guest.get(Field::Cr0) & cr0::kTs)) != 0);
    expect_task(guest, 0x81, 0x11);
    CHECK(is_busy(guest, kSelectorA) && !is_busy(guest, kSelectorB));
    expect_task(guest, 0x82, 0x23);
    expect_task(guest, 0x83, 0x11);
    expect_task(guest, 0x84, kSelectorA);
    expect_jumps(guest);
    CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
}

// The new task's stack is none: that is raised in the new task, and goes through a task gate with
// its error code.
TEST(task_switch_raises_in_the_new_task) {
    Guest guest;
    prepare_tasks(guest);
    auto* gdt = at<u64>(guest, Guest::kGdt);
    gdt[kSelectorC / 8] = task_descriptor(kTaskC);
    constexpr u64 kInvalidTss = 10;
    at<u64>(guest, Guest::kIdt)[kInvalidTss] = u64{kSelectorC} << 16 | u64{0x85} << 40;
    auto* c = at<Tss>(guest, kTaskC);
    *c = *at<Tss>(guest, kTaskB);
    c->eip = static_cast<u32>(Guest::kCode + (task_walk_c - code::task_walk.begin));
    at<Tss>(guest, kTaskB)->selectors[2] = kNoSelector;
    expect_task(guest, 0x85, kNoSelector);
    CHECK_EQ(guest.get(Field::TrSelector), kSelectorC);
    CHECK_EQ(c->link & 0xffff, kSelectorB);
    // QEMU's own switch saves where the task before was.
    if (!on_qemu())
        CHECK_EQ(at<Tss>(guest, kTaskB)->eip,
                 static_cast<u32>(Guest::kCode + (task_walk_b - code::task_walk.begin)));
}

// To a task of 16 bits and back.
TEST(task_switches_between_widths) {
    Guest guest;
    prepare_tasks(guest);
    auto* gdt = at<u64>(guest, Guest::kGdt);
    gdt[kSelectorB / 8] = (sizeof(Tss16) - 1) | kTaskB << 16 | u64{0x81} << 40;
    gdt[kCodeAtCode / 8] = 0x00cf'9b01'0000'ffff;  // 32-bit code at Guest::kCode
    auto* b = at<Tss16>(guest, kTaskB);
    *b = {};
    b->ip = static_cast<u16>(task_walk_b - code::task_walk.begin);
    b->flags = 2;
    b->general[3] = 0x22;
    b->general[4] = 0x7000;
    for (u16& selector : b->selectors)
        selector = kFlatData;
    b->selectors[1] = kCodeAtCode;
    expect_task(guest, 0x80, 0x22);
    expect_task(guest, 0x81, 0x11);
    expect_task(guest, 0x82, 0x23);
    CHECK_EQ(b->link, kSelectorA);
    expect_task(guest, 0x83, 0x11);
    expect_task(guest, 0x84, kSelectorA);
    expect_jumps(guest);
    CHECK_EQ(guest.run_timed(), ExitReason::Hlt);
}

// In the guest's own page tables, of what the switch reads and writes.
TEST(task_switch_sets_accessed_and_dirty) {
    constexpr u64 kTable = 0x50000;
    constexpr u32 kAccessed = 1 << 5, kDirty = 1 << 6;
    Guest guest;
    prepare_tasks(guest);
    u32* pages = at<u32>(guest, kTable);
    for (u32 page = 0; page < 1024; ++page)
        pages[page] = page << 12 | 3;
    at<u32>(guest, kTables32)[0] = kTable | 3;
    const auto flags = [&](u64 address) { return pages[address >> 12] & (kAccessed | kDirty); };
    CHECK_EQ(flags(Guest::kGdt), 0);
    expect_task(guest, 0x80, 0x22);
    CHECK_EQ(flags(Guest::kGdt), kAccessed | kDirty);  // busy
    CHECK_EQ(flags(kTaskA), kAccessed | kDirty);
    // The link is in its first page; the rest was read.
    CHECK_EQ(flags(kTaskB + sizeof(Tss)), kAccessed);
    expect_task(guest, 0x81, 0x11);
    CHECK_EQ(flags(kTaskB + sizeof(Tss)), kAccessed | kDirty);
    CHECK_EQ(flags(kTaskC), 0);
}

// What stands in the way leaves the old task as it was: memory that is not there yet, the dirty
// log, a page that the guest itself has not mapped.
TEST(task_switch_meets_absent_memory) {
    alignas(4096) static u8 bitmap[4096];
    Guest guest;
    prepare_tasks(guest);
    const auto dirty_log = [&](abi::DirtyLogOp op) {
        return call(abi::Hypercall::VmDirtyLog, guest.id(), kTaskB & ~u64{0xfff}, 0x2000,
                    static_cast<u64>(op), address_of(bitmap));
    };
    CHECK_EQ(dirty_log(abi::DirtyLogOp::Start), 0);
    CHECK_EQ(call(abi::Hypercall::VmProtect, guest.id(), 0x29000, 4096, 0), 0);
    CHECK_EQ(guest.run_timed(), ExitReason::PageAbsent);
    CHECK_EQ(guest.page().mmio.gpa & ~u64{0xfff}, 0x29000);
    CHECK_EQ(guest.get(Field::TrSelector), kSelectorA);
    CHECK_EQ(call(abi::Hypercall::VmProtect, guest.id(), 0x29000, 4096, kAllAccess), 0);
    expect_task(guest, 0x80, 0x22);
    CHECK_EQ(dirty_log(abi::DirtyLogOp::Harvest), 0);
    CHECK_EQ(bitmap[0] & 1, 1);
    CHECK_EQ(dirty_log(abi::DirtyLogOp::Stop), 0);
    expect_task(guest, 0x81, 0x11);
}

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
