// The root domain against hv: what is not its own is refused and counted, and what is its own costs
// nothing.
#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/guest/local_apic.hpp"
#include "hv/selftest/check.hpp"
#include "hv/selftest/cpus.hpp"
#include "hv/selftest/guest_code.hpp"
#include "hv/selftest/machine.hpp"

#include <array>
#include <atomic>
#include <cstring>

extern "C" {
skep::hv::u64 try_call(void (*function)(skep::hv::u64), skep::hv::u64 argument);
void enter_user(void (*function)(skep::hv::u64));
extern skep::hv::u64 try_result;
}

namespace skep::hv::selftest {

using abi::ExitReason;
using abi::Field;
using abi::Hypercall;

namespace {

constexpr u64 kHv = 32 << 20, kHvSize = 8 << 20;
constexpr u64 kUndefined = 6 + 1, kProtection = 13 + 1;

u64 random() {
    static u64 seed = 0x2545'f491'4f6c'dd1d;
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

u64 violations() {
    return host_stats().root_violations;
}

void read_at(u64 address) {
    asm volatile("mov (%0), %%al" : : "r"(address) : "rax", "memory");
}
void write_at(u64 address) {
    *reinterpret_cast<volatile u8*>(address) = 0x90;
}
void execute_at(u64 address) {
    reinterpret_cast<void (*)()>(address)();
}
void locked_at(u64 address) {
    asm volatile("lock incl (%0)" : : "r"(address) : "memory");
}

struct MsrValue {
    u32 index;
    u64 value;
};
void write_register(u64 argument) {
    const auto& pair = *reinterpret_cast<const MsrValue*>(argument);
    write_msr(pair.index, pair.value);
}
u64 try_write(u32 index, u64 value) {
    const MsrValue pair{index, value};
    return try_call(write_register, reinterpret_cast<u64>(&pair));
}

// Each opcode with operands in memory has (%rdi); the address of a VMCB would be in RAX.
#define INSTRUCTION(name, ...)                                                         \
    void name(u64 operand) {                                                           \
        asm volatile(".byte " #__VA_ARGS__ : : "D"(operand), "a"(operand) : "memory"); \
    }
INSTRUCTION(do_vmxon, 0xf3, 0x0f, 0xc7, 0x37)
INSTRUCTION(do_vmclear, 0x66, 0x0f, 0xc7, 0x37)
INSTRUCTION(do_vmptrld, 0x0f, 0xc7, 0x37)
INSTRUCTION(do_vmptrst, 0x0f, 0xc7, 0x3f)
INSTRUCTION(do_vmlaunch, 0x0f, 0x01, 0xc2)
INSTRUCTION(do_vmresume, 0x0f, 0x01, 0xc3)
INSTRUCTION(do_vmxoff, 0x0f, 0x01, 0xc4)
INSTRUCTION(do_vmread, 0x0f, 0x78, 0xc0)
INSTRUCTION(do_vmwrite, 0x0f, 0x79, 0xc0)
INSTRUCTION(do_invept, 0x66, 0x0f, 0x38, 0x80, 0x07)
INSTRUCTION(do_invvpid, 0x66, 0x0f, 0x38, 0x81, 0x07)
INSTRUCTION(do_vmrun, 0x0f, 0x01, 0xd8)
INSTRUCTION(do_vmload, 0x0f, 0x01, 0xda)
INSTRUCTION(do_vmsave, 0x0f, 0x01, 0xdb)
INSTRUCTION(do_stgi, 0x0f, 0x01, 0xdc)
INSTRUCTION(do_clgi, 0x0f, 0x01, 0xdd)
INSTRUCTION(do_invlpga, 0x0f, 0x01, 0xdf)
#undef INSTRUCTION

void set_vmxe(u64) {
    write_cr4(read_cr4() | cr4::kVmxe);
}
void set_wrong_xcr0(u64 value) {
    write_xcr0(value);
}
void call_from_user(u64) {
    call(Hypercall::Info, 0);
}

struct [[gnu::packed]] TaskState {
    u32 reserved;
    u64 rsp0;
    u8 rest[92];
};

// A descriptor table with segments for CPL 3 and a task state for the way back.
void call_at_cpl_3(u64) {
    alignas(16) static u8 stack[4096];
    static TaskState task{};
    task.rsp0 = address_of(stack + sizeof stack);
    const u64 base = address_of(&task);
    static u64 gdt[8];
    gdt[1] = 0x00af'9b00'0000'ffff;
    gdt[2] = 0x00cf'9300'0000'ffff;
    gdt[3] = 0x00cf'f300'0000'ffff;  // CPL 3 data: 0x1b
    gdt[4] = 0x00af'fb00'0000'ffff;  // CPL 3 code: 0x23
    gdt[6] =
        (sizeof task - 1) | (base & 0xff'ffff) << 16 | u64{0x89} << 40 | (base >> 24 & 0xff) << 56;
    gdt[7] = base >> 32;
    struct [[gnu::packed]] {
        u16 limit;
        u64 base;
    } const pointer{sizeof gdt - 1, address_of(gdt)};
    asm volatile("lgdt %0; ltr %w1" : : "m"(pointer), "r"(0x30) : "memory");
    enter_user(call_from_user);
}

std::atomic<u64> alive{0};
void say_alive(u64 number) {
    alive = number;
}

}  // namespace

TEST(root_cannot_touch_hv) {
    const u64 before = violations();
    u64 tries = 0;
    constexpr std::array kAccesses = {read_at, write_at, execute_at, locked_at};
    for (unsigned i = 0; i < 200; ++i) {
        for (const auto access : kAccesses) {
            CHECK_EQ(try_call(access, kHv + random() % kHvSize), kProtection);
            ++tries;
        }
    }
    CHECK_EQ(try_call(read_at, kHv - 1), 0);
    CHECK_EQ(try_call(read_at, kHv + kHvSize), 0);
    CHECK_EQ(violations() - before, tries);
}

TEST(root_has_no_virtualization) {
    constexpr u32 kVmx = 1 << 5, kSvm = 1 << 2;
    CHECK_EQ(cpuid(1).ecx & kVmx, 0);
    CHECK_EQ(cpuid(0x8000'0001).ecx & kSvm, 0);
    alignas(4096) static u8 operand[4096];
    for (const auto instruction :
         {do_vmxon, do_vmclear, do_vmptrld, do_vmptrst, do_vmlaunch, do_vmresume, do_vmxoff,
          do_vmread, do_vmwrite, do_invept, do_invvpid, do_vmrun, do_vmload, do_vmsave, do_stgi,
          do_clgi, do_invlpga})
        CHECK_EQ(try_call(instruction, address_of(operand)), kUndefined);
    if (!on_qemu())  // it lets any processor set the bit
        CHECK_EQ(try_call(set_vmxe, 0), kProtection);
    CHECK_EQ(read_cr4() & cr4::kVmxe, 0);
}

TEST(root_cannot_reconfigure_the_cpu) {
    const u64 before = violations();
    constexpr u32 kVmHsavePa = 0xc001'0117, kVmCr = 0xc001'0114;
    CHECK_EQ(try_write(msr::kEfer, read_msr(msr::kEfer) | efer::kSvme), kProtection);
    // The local APIC is hv's way to the other CPUs: where it is and on.
    const u64 base = read_msr(msr::kApicBase);
    for (const u64 moved : {kHv, kHv + 0x1000, u64{0x1000}, u64{1} << 35, u64{0xfec0'0000}})
        CHECK_EQ(try_write(msr::kApicBase, (base & 0xfff) | moved), kProtection);
    CHECK_EQ(try_write(msr::kApicBase, base & ~apic::kBaseEnable), kProtection);
    CHECK_EQ(try_write(msr::kApicBase, base), 0);
    CHECK_EQ(read_msr(msr::kApicBase), base);
    u64 refused = 8;
    if (on_amd) {
        ++refused;  // VT-x leaves the refusal of EFER to the processor
        CHECK_EQ(try_write(kVmHsavePa, kHv), kProtection);
        CHECK_EQ(try_write(kVmCr, 0), kProtection);
    } else {
        CHECK_EQ(try_write(msr::kFeatureControl, 5), kProtection);
        CHECK_EQ(try_write(0x480, 0), kProtection);
    }
    CHECK_EQ(violations() - before, refused);
    // What faults on the processor faults in the root domain, not in hv.
    for (const u64 wrong : {u64{0}, u64{2}, u64{5}, u64{1} << 62, ~u64{0}})
        CHECK_EQ(try_call(set_wrong_xcr0, wrong), kProtection);
    CHECK_EQ(try_call([](u64) { read_msr(0x1234'5678); }, 0) == 0, false);
}

TEST(hypercalls_are_the_kernels) {
    const u64 before = host_stats().hypercalls;
    CHECK_EQ(try_call(call_at_cpl_3, 0), kUndefined);
    CHECK_EQ(host_stats().hypercalls - before, 1);  // this one
}

// A guest's own page tables, programmed at hv's addresses: there is nothing.
TEST(guest_tables_do_not_reach_hv) {
    Guest guest;
    guest.load(code::long_fill);
    guest.start_long();
    auto* directory = reinterpret_cast<u64*>(guest.ram() + Guest::kTables + 0x2000);
    for (const u64 target : {kHv, kHv + (8 << 20), u64{16} << 20, u64{1} << 36}) {
        directory[8] = target | 0x83;  // at 16 MiB
        CHECK_EQ(guest.set({{Field::Rip, 0, Guest::kCode},
                            {Field::Rdi, 0, (16 << 20) + 0x123000},
                            {Field::Rcx, 0, 1},
                            {Field::ActivityState, 0, 0}}),
                 0);
        CHECK_EQ(guest.run_timed(), ExitReason::Mmio);
        CHECK_EQ(guest.page().mmio.gpa, target + 0x123000);
    }
    // Nor do the tables themselves lie there.
    CHECK_EQ(guest.set({{Field::Cr3, 0, kHv}, {Field::Rip, 0, Guest::kCode}}), 0);
    CHECK_EQ(guest.run_timed(), ExitReason::Mmio);
    CHECK_EQ(guest.page().mmio.gpa & ~u64{0xfff}, kHv);
}

namespace {

i64 map(u64 vm, u64 gpa, u64 hpa, u64 size) {
    return call(Hypercall::VmMap, vm, gpa, hpa, size, kAllAccess);
}

}  // namespace

// The memory of an isolated VM: gone from the root domain, on every CPU, until the VM is; then
// zeroed.
TEST(isolated_memory) {
    constexpr u64 kLarge = 2 << 20;
    constexpr u64 kOwn = kArena + 4 * kLarge, kShared = kArena + 8 * kLarge,
                  kPages = kArena + 12 * kLarge;
    const abi::HostStats before = host_stats();
    CHECK_EQ(call(Hypercall::VmCreate, 2), error(abi::Error::Invalid));
    const i64 created = call(Hypercall::VmCreate, abi::kVmIsolated);
    CHECK(created > 0);
    const u64 vm = static_cast<u64>(created);
    auto* words = reinterpret_cast<u64*>(kOwn);
    words[0] = words[kLarge / 8] = 0x5ec'2e7;
    std::memcpy(reinterpret_cast<void*>(kOwn + 0x10000), code::real_io.begin,
                static_cast<std::size_t>(code::real_io.end - code::real_io.begin));
    const i64 other = call(Hypercall::VmCreate);
    CHECK_EQ(map(static_cast<u64>(other), 0, kShared, 4096), 0);
    CHECK_EQ(call(Hypercall::VcpuCreate, vm, 0, kPages), 0);
    // What somebody still uses, what is not the root domain's, what is not whole.
    CHECK_EQ(map(vm, 0, kShared, kLarge), error(abi::Error::Busy));
    CHECK_EQ(map(vm, 0, kPages, kLarge), error(abi::Error::Busy));
    CHECK_EQ(map(vm, 0, kHv, kLarge), error(abi::Error::Denied));
    CHECK_EQ(map(vm, 0, kOwn, 4096), error(abi::Error::Invalid));
    CHECK_EQ(map(vm, 4096, kOwn, kLarge), error(abi::Error::Invalid));
    CHECK_EQ(try_call(read_at, kShared), 0);
    CHECK_EQ(try_call(read_at, kPages), 0);
    CHECK_EQ(map(vm, 0, kOwn, 2 * kLarge), 0);
    CHECK_EQ(map(vm, 0, kOwn + 2 * kLarge, kLarge), error(abi::Error::Exists));
    CHECK_EQ(try_call(read_at, kOwn + 2 * kLarge), 0);

    for (const u64 offset : {u64{0}, u64{0x10000}, kLarge, 2 * kLarge - 1}) {
        CHECK_EQ(try_call(read_at, kOwn + offset), kProtection);
        CHECK_EQ(try_call(write_at, kOwn + offset), kProtection);
    }
    CHECK_EQ(try_call(read_at, kOwn - 1), 0);
    // Neither as a buffer, nor through another guest, nor once more.
    CHECK_EQ(call(Hypercall::Stats, kOwn), error(abi::Error::Denied));
    CHECK_EQ(map(static_cast<u64>(other), kLarge, kOwn, 4096), error(abi::Error::Denied));
    CHECK_EQ(map(static_cast<u64>(other), kLarge, kOwn - 4096, 8192), error(abi::Error::Denied));
    CHECK_EQ(map(vm, 8 * kLarge, kOwn, kLarge), error(abi::Error::Denied));
    CHECK_EQ(call(Hypercall::VcpuCreate, vm, 1, kOwn), error(abi::Error::Denied));
    CHECK_EQ(call(Hypercall::VmUnmap, vm, 0, kLarge), error(abi::Error::Unsupported));
    // The guest has it.
    alignas(4096) static u8 frame[4096];
    auto* fields = reinterpret_cast<abi::FieldValue*>(frame);
    fields[0] = {Field::CsSelector, 0, 0x1000};
    fields[1] = {Field::CsBase, 0, 0x10000};
    fields[2] = {Field::Rip, 0, 0};
    CHECK_EQ(call(Hypercall::VcpuSetFields, vm, 0, address_of(frame), 3), 0);
    CHECK_EQ(call(Hypercall::VcpuRun, vm, 0), 0);
    CHECK_EQ(reinterpret_cast<const abi::VcpuPage*>(kPages)->reason, ExitReason::Io);

    CHECK_EQ(call(Hypercall::VmDestroy, static_cast<u64>(other)), 0);
    CHECK_EQ(call(Hypercall::VmDestroy, vm), 0);
    CHECK_EQ(words[0] | words[kLarge / 8] | words[0x10000 / 8], 0);
    words[0] = 1;
    // The root domain's tables may have been split, once for good.
    CHECK(before.pool_frames_free - host_stats().pool_frames_free <= 4);
}

// What the root domain gives to hv's pool is hv's until nothing in it is in use, and comes back
// zeroed.
TEST(memory_given_to_hv) {
    constexpr u64 kLarge = 2 << 20, kGiven = kArena + 24 * kLarge, kShared = kArena + 8 * kLarge;
    const auto give = [](u64 hpa) { return call(Hypercall::MemoryGive, hpa); };
    const i64 none = error(abi::Error::NoEntity);
    CHECK_EQ(call(Hypercall::MemoryTakeBack), none);
    CHECK_EQ(give(kGiven + 4096), error(abi::Error::Invalid));
    CHECK_EQ(give(kHv), error(abi::Error::Denied));
    CHECK_EQ(give(0), error(abi::Error::Denied));  // has a hole in it
    CHECK_EQ(give(u64{1} << 45), error(abi::Error::Denied));
    const u64 other = static_cast<u64>(call(Hypercall::VmCreate));
    CHECK_EQ(map(other, 0, kShared + 4096, 4096), 0);
    CHECK_EQ(give(kShared), error(abi::Error::Busy));
    CHECK_EQ(try_call(read_at, kShared), 0);

    // As much as there is room for; of that one is used: a table for each 2 MiB of small pages.
    abi::HostStats before = host_stats();
    std::memset(reinterpret_cast<void*>(kGiven), 0x5e, kLarge);
    CHECK_EQ(give(kGiven), 0);
    CHECK_EQ(host_stats().pool_frames_total, before.pool_frames_total + 512);
    CHECK_EQ(try_call(read_at, kGiven), kProtection);
    CHECK_EQ(try_call(write_at, kGiven + kLarge - 1), kProtection);
    CHECK_EQ(try_call(read_at, kGiven + kLarge), 0);
    CHECK_EQ(give(kGiven), error(abi::Error::Denied));
    CHECK_EQ(call(Hypercall::Stats, kGiven), error(abi::Error::Denied));
    CHECK_EQ(map(other, kLarge, kGiven, 4096), error(abi::Error::Denied));
    CHECK_EQ(call(Hypercall::MemoryTakeBack), kGiven);
    CHECK_EQ(call(Hypercall::MemoryTakeBack), none);
    for (u64 i = 0; i < kLarge / 8; i += 64)
        CHECK_EQ(reinterpret_cast<const u64*>(kGiven)[i], 0);

    u64 tables = 1;
    const auto map_one = [&] { return map(other, tables * kLarge, kShared, 4096); };
    while (map_one() == 0)
        ++tables;
    CHECK_EQ(map_one(), error(abi::Error::NoMemory));
    CHECK_EQ(give(kGiven), 0);
    for (u64 i = 0; i < 400; ++i, ++tables)
        CHECK_EQ(map_one(), 0);
    CHECK_EQ(call(Hypercall::MemoryTakeBack), none);
    CHECK_EQ(call(Hypercall::VmUnmap, other, 0, tables * kLarge), 0);
    CHECK_EQ(call(Hypercall::MemoryTakeBack), none);
    CHECK_EQ(call(Hypercall::VmDestroy, other), 0);
    CHECK_EQ(call(Hypercall::MemoryTakeBack), kGiven);
    CHECK_EQ(try_call(read_at, kGiven), 0);
    CHECK_EQ(host_stats().pool_frames_total, before.pool_frames_total);
    CHECK(host_stats().pool_frames_free >= before.pool_frames_free);
    print("  {} tables until the pool was empty", tables - 400);
}

// While the other CPU reads on and on, or runs a guest.
TEST(isolated_memory_leaves_every_cpu) {
    if (start_all_cpus() < 2) {
        print("  one CPU only");
        return;
    }
    constexpr u64 kLarge = 2 << 20, kOwn = kArena + 16 * kLarge;
    static std::atomic<bool> stop;
    static std::atomic<u64> rounds;
    for (unsigned round = 0; round < 5; ++round) {
        const i64 vm = call(Hypercall::VmCreate, abi::kVmIsolated);
        stop = false;
        rounds = 0;
        // Hypercalls with a buffer right there, and reads through its TLB: refused from some moment
        // on.
        run_on(
            1,
            [](u64) {
                while (!stop) {
                    call(Hypercall::Stats, kOwn);
                    ++rounds;
                }
            },
            0);
        while (rounds < 3)
            pause();
        CHECK_EQ(map(static_cast<u64>(vm), 0, kOwn, kLarge), 0);
        const u64 seen = rounds;
        while (rounds < seen + 3)
            pause();
        CHECK_EQ(try_call(read_at, kOwn), kProtection);
        stop = true;
        wait_for(1);
        CHECK_EQ(call(Hypercall::VmDestroy, static_cast<u64>(vm)), 0);
        CHECK_EQ(*reinterpret_cast<u64*>(kOwn), 0);
    }
}

// Interrupts of the machine, its ports, its local APIC and its devices are the root domain's own.
TEST(no_exits_at_rest) {
    const abi::HostStats before = host_stats();
    start_ticks();
    for (unsigned i = 0; i < 50; ++i)
        asm volatile("sti; hlt; cli");
    for (unsigned i = 0; i < 100; ++i) {
        in8(0x71);
        out8(0x80, 0);
    }
    stop_ticks();
    const abi::HostStats after = host_stats();
    CHECK_EQ(after.root_exits - before.root_exits, 0);
    CHECK_EQ(after.hypercalls - before.hypercalls, 1);
}

// A CPU does not leave hv's hands because another sends it an INIT.
TEST(init_does_not_stop_a_cpu) {
    // QEMU resets the CPU whatever hypervisor is on it.
    if (start_all_cpus() < 2 || on_qemu()) {
        print("  not here");
        return;
    }
    run_on(1, say_alive, 1);
    wait_for(1);
    CHECK_EQ(alive, 1);
    alignas(4096) static u8 frame[4096];
    CHECK_EQ(call(Hypercall::Info, address_of(frame)), 0);
    send_to_cpu(reinterpret_cast<const abi::HostInfo*>(frame)->apic_ids[1], 0x4500);
    for (unsigned i = 0; i < 100'000; ++i)
        pause();
    run_on(1, say_alive, 2);
    for (unsigned i = 0; i < 10'000'000 && alive != 2; ++i)
        pause();
    CHECK_EQ(alive, 2);
}

}  // namespace skep::hv::selftest
