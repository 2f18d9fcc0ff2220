#include "hv/selftest/guest.hpp"

#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/selftest/check.hpp"
#include "hv/selftest/inside.hpp"

#include <algorithm>
#include <array>
#include <cstring>

extern "C" {
extern const skep::hv::u8 payload_end[];
extern const skep::hv::u8 function_end[];
}

namespace skep::hv::selftest {

using abi::ExitReason;
using abi::Field;
using abi::Hypercall;

namespace {

constexpr unsigned kSlots = 4, kMaxVcpus = 4;

alignas(2 << 20) u8 rams[kSlots][Guest::kRam];
alignas(4096) u8 pages[kSlots][kMaxVcpus][4096];
alignas(4096) u8 buffer[4096];

constexpr u32 kPresentWritable = 3, kLarge = 0x80;

}  // namespace

Guest::Guest(unsigned slot, unsigned vcpus) : ram_(rams[slot]), slot_(slot), vcpus_(vcpus) {
    std::memset(ram_, 0, kRam);
    const i64 id = call(Hypercall::VmCreate);
    CHECK(id > 0);
    id_ = static_cast<u64>(id);
    CHECK_EQ(call(Hypercall::VmMap, id_, 0, address_of(ram_), kRam, kAllAccess), 0);
    set_cpuid();
    for (unsigned i = 0; i < vcpus; ++i) {
        std::memset(pages[slot][i], 0, 4096);
        CHECK_EQ(call(Hypercall::VcpuCreate, id_, i, address_of(pages[slot][i])), 0);
    }
}

Guest::~Guest() {
    CHECK_EQ(call(Hypercall::VmDestroy, id_), 0);
}

abi::VcpuPage& Guest::page(unsigned vcpu) const {
    return *reinterpret_cast<abi::VcpuPage*>(pages[slot_][vcpu]);
}

void Guest::set_cpuid() {
    auto* entries = reinterpret_cast<abi::CpuidEntry*>(buffer);
    constexpr u32 kLeaves[] = {0, 1, 7, 0xd, 0x8000'0000, 0x8000'0001, 0x8000'0008};
    u32 count = 0;
    for (const u32 leaf : kLeaves)
        entries[count++] = {leaf, 0, leaf == 7 || leaf == 0xd, 0, 0, 0, 0, 0};
    entries[count++] = {0xd, 2, 1, 0, 0, 0, 0, 0};
    CHECK_EQ(call(Hypercall::CpuidSupported, address_of(buffer), count), 0);
    entries[0].eax = 0xd;
    entries[4].eax = 0x8000'0008;
    CHECK_EQ(call(Hypercall::VmSetCpuid, id_, address_of(buffer), count), 0);
    // What hv does not offer is refused.
    entries[1].ecx |= 1 << 5;  // VMX
    CHECK_EQ(call(Hypercall::VmSetCpuid, id_, address_of(buffer), count),
             error(abi::Error::Unsupported));
}

void Guest::load(Code code, u64 address) {
    std::memcpy(ram_ + address, code.begin, static_cast<std::size_t>(code.end - code.begin));
}

u64 Guest::get(Field field, unsigned vcpu) const {
    auto* value = reinterpret_cast<abi::FieldValue*>(buffer);
    *value = {field, 0, 0};
    CHECK_EQ(call(Hypercall::VcpuGetFields, id_, vcpu, address_of(buffer), 1), 0);
    return value->value;
}

i64 Guest::set(std::initializer_list<abi::FieldValue> fields, unsigned vcpu) {
    std::copy(fields.begin(), fields.end(), reinterpret_cast<abi::FieldValue*>(buffer));
    return call(Hypercall::VcpuSetFields, id_, vcpu, address_of(buffer), fields.size());
}

void Guest::start_real(unsigned vcpu) {
    CHECK_EQ(set({{Field::CsSelector, 0, kCode >> 4},
                  {Field::CsBase, 0, kCode},
                  {Field::Rip, 0, 0},
                  {Field::Rsp, 0, kStack},
                  {Field::ActivityState, 0, 0}},
                 vcpu),
             0);
}

void Guest::start_long(unsigned vcpu) {
    auto* tables = reinterpret_cast<u64*>(ram_ + kTables);
    tables[0] = (kTables + 0x1000) | kPresentWritable;
    tables[512] = (kTables + 0x2000) | kPresentWritable;      // low GiB
    tables[512 + 3] = (kTables + 0x3000) | kPresentWritable;  // 3..4 GiB: MMIO and the APIC
    for (u64 i = 0; i < 512; ++i) {
        tables[1024 + i] = i << 21 | kPresentWritable | kLarge;
        tables[1536 + i] = (u64{3} << 30) + (i << 21) + (kPresentWritable | kLarge);
    }
    auto* gdt = reinterpret_cast<u64*>(ram_ + kGdt);
    gdt[1] = 0x00af'9b00'0000'ffff;
    gdt[2] = 0x00cf'9300'0000'ffff;
    constexpr u64 kCode64 = 0xa09b, kData = 0xc093, kBusyTss = 0x8b;
    const auto segment = [&](Field first, u64 selector, u64 access, u64 limit = 0xffff'ffff) {
        const auto number = static_cast<u32>(first);
        CHECK_EQ(set({{first, 0, selector},
                      {static_cast<Field>(number + 1), 0, 0},
                      {static_cast<Field>(number + 2), 0, limit},
                      {static_cast<Field>(number + 3), 0, access}},
                     vcpu),
                 0);
    };
    segment(Field::CsSelector, 8, kCode64);
    for (const Field data : {Field::EsSelector, Field::SsSelector, Field::DsSelector,
                             Field::FsSelector, Field::GsSelector})
        segment(data, 16, kData);
    segment(Field::TrSelector, 0, kBusyTss, 0x67);
    CHECK_EQ(set({{Field::Cr3, 0, kTables},
                  {Field::Cr4, 0, cr4::kPae | cr4::kOsfxsr | cr4::kOsxmmexcpt | cr4::kOsxsave},
                  {Field::Efer, 0, efer::kLme | efer::kLma},
                  {Field::Cr0, 0, cr0::kPg | cr0::kPe | cr0::kNe | cr0::kEt | cr0::kMp},
                  {Field::GdtrBase, 0, kGdt},
                  {Field::GdtrLimit, 0, 23},
                  {Field::IdtrBase, 0, kIdt},
                  {Field::IdtrLimit, 0, 0xfff},
                  {Field::Rip, 0, kCode},
                  {Field::Rsp, 0, kStack - vcpu * 0x1000},
                  {Field::Rflags, 0, 2},
                  {Field::ActivityState, 0, 0}},
                 vcpu),
             0);
}

void Guest::start_function(void (*function)(u64), u64 argument, unsigned vcpu) {
    constexpr u64 kImage = 16 << 20;
    if (!image_mapped_)
        CHECK_EQ(call(Hypercall::VmMap, id_, kImage, kImage,
                      (address_of(payload_end) + 4095 - kImage) & ~u64{4095}, kAllAccess),
                 0);
    image_mapped_ = true;
    start_long(vcpu);
    const u64 stack = kStack - vcpu * 0x1000 - 8;
    const u64 back = address_of(function_end);
    std::memcpy(ram_ + stack, &back, sizeof back);
    CHECK_EQ(set({{Field::Rip, 0, reinterpret_cast<u64>(function)},
                  {Field::Rdi, 0, argument},
                  {Field::Rsp, 0, stack}},
                 vcpu),
             0);
}

void Guest::set_vector(u8 vector, u64 handler) {
    auto* gate = reinterpret_cast<u64*>(ram_ + kIdt + vector * 16);
    gate[0] = (handler & 0xffff) | 8 << 16 | u64{0x8e00} << 32 | (handler >> 16 & 0xffff) << 48;
    gate[1] = handler >> 32;
}

ExitReason Guest::run(unsigned vcpu) {
    CHECK_EQ(call(Hypercall::VcpuRun, id_, vcpu), 0);
    return page(vcpu).reason;
}

ExitReason Guest::run_timed(unsigned vcpu) {
    for (;;) {
        const ExitReason reason = run(vcpu);
        switch (reason) {
            case ExitReason::Interrupted:
                asm volatile("sti; nop; cli");
                break;
            case ExitReason::TimerArmed:
                // Stands in for the kernel's timer: the deadline is taken at the next run.
                while (read_tsc() < page(vcpu).timer_deadline)
                    pause();
                break;
            case ExitReason::Hlt:
                if (page(vcpu).timer_deadline == abi::kNoDeadline)
                    return reason;
                while (read_tsc() < page(vcpu).timer_deadline)
                    pause();
                break;
            default:
                return reason;
        }
    }
}

ExitReason Guest::run_checked(unsigned vcpu) {
    for (;;) {
        const ExitReason reason = run_timed(vcpu);
        const abi::VcpuPage& p = page(vcpu);
        if (reason != ExitReason::Io || p.io.port != inside::kCheckPort)
            return reason;
        fail_check(reinterpret_cast<const char*>(p.general.rdi), static_cast<int>(p.general.rsi),
                   reinterpret_cast<const char*>(p.general.rdx), vcpu, 0);
        complete(vcpu);
    }
}

void Guest::complete(unsigned vcpu) {
    abi::VcpuPage& p = page(vcpu);
    p.rip += p.instruction_length;
    p.write_back = abi::kWriteBackGeneral | abi::kWriteBackRip;
}

const char* name_of(ExitReason reason) {
    constexpr std::array kNames = {"None",       "Interrupted",     "Io",         "Mmio",
                                   "Hlt",        "InterruptWindow", "Shutdown",   "MsrRead",
                                   "MsrWrite",   "ApicEoi",         "TimerArmed", "WakeVcpus",
                                   "PageAbsent", "EntryFailed",     "Reset",      "Pause"};
    const auto index = static_cast<u32>(reason);
    return index < kNames.size() ? kNames[index] : "?";
}

}  // namespace skep::hv::selftest
