// A second payload: boots the Linux kernel that GRUB brought as the module `linux` (with `initrd`,
// if it is there) as a guest, on nothing but hv: a serial port for output and the local APIC. What
// it proves is that a real operating system lives on hv's CPUs, timers and MSRs; devices are
// guestdev's business.
#include "hv/arch/instructions.hpp"
#include "hv/arch/registers.hpp"
#include "hv/boot/multiboot.hpp"
#include "hv/selftest/check.hpp"
#include "hv/selftest/hypercalls.hpp"
#include "hv/selftest/machine.hpp"

#include <array>
#include <cstring>

extern "C" const skep::hv::u32 boot_information;

namespace skep::hv::selftest {

using abi::ExitReason;
using abi::Field;
using abi::Hypercall;

namespace {

// Host memory that nothing else uses with 1 GiB of RAM.
constexpr u64 kRam = 512 << 20, kRamSize = 256 << 20;
// Guest-physical, Linux Documentation/arch/x86/boot.rst and zero-page.rst.
constexpr u64 kBootParameters = 0x10000, kCommandLine = 0x20000, kTables = 0x30000, kGdt = 0x38000,
              kKernel = 0x100000, kInitrd = 128 << 20;
constexpr char kArguments[] =
    "console=ttyS0 earlyprintk=serial,ttyS0 panic=-1 reboot=k noapic "
    "tsc_early_khz=1000000 rdinit=/init random.trust_cpu=on";

constexpr unsigned kMaxVcpus = 4;

alignas(4096) u8 page_frames[kMaxVcpus][4096], buffer[4096];
u64 vm = 0;
// All of them take turns on this CPU: the one that runs.
unsigned vcpus = 1, current = 0;
#define page (*reinterpret_cast<abi::VcpuPage*>(page_frames[current]))

u8* guest(u64 gpa) {
    return reinterpret_cast<u8*>(kRam + gpa);
}
template <class T>
void put(u64 gpa, T value) {
    std::memcpy(guest(gpa), &value, sizeof value);
}

[[noreturn]] void stop(const char* why) {
    print("hv-linux: {}: rip {} rsp {} cr0 {} cr3 {} cr4 {} efer {}", why, Hex{page.rip},
          Hex{page.general.rsp}, Hex{page.cr0}, Hex{page.cr3}, Hex{page.cr4}, Hex{page.efer});
    if (call(Hypercall::VcpuGetApic, vm, current, address_of(buffer)) == 0) {
        const auto* apic = reinterpret_cast<const u32*>(buffer);
        print("  TPR {} PPR {} SVR {} LVT timer {} initial {} current {}", Hex{apic[0x80 / 4]},
              Hex{apic[0xa0 / 4]}, Hex{apic[0xf0 / 4]}, Hex{apic[0x320 / 4]}, apic[0x380 / 4],
              apic[0x390 / 4]);
        for (unsigned word = 0; word < 8; ++word)
            print("  {}: ISR {} IRR {}", word * 32, Hex{apic[0x100 / 4 + word * 4]},
                  Hex{apic[0x200 / 4 + word * 4]});
    }
    const Field fields[] = {Field::Rflags,       Field::ApicBase,         Field::ApicTscDeadline,
                            Field::Tsc,          Field::Interruptibility, Field::PendingEvent,
                            Field::ActivityState};
    for (const Field field : fields) {
        *reinterpret_cast<abi::FieldValue*>(buffer) = {field, 0, 0};
        call(Hypercall::VcpuGetFields, vm, current, address_of(buffer), 1);
        print("  field {} {}", static_cast<u32>(field),
              Hex{reinterpret_cast<abi::FieldValue*>(buffer)->value});
    }
    end(1);
}

void require(i64 result, const char* what) {
    if (result < 0) {
        print("hv-linux: {} failed: {}", what, result);
        end(1);
    }
}

void set_fields(std::initializer_list<abi::FieldValue> values) {
    std::memcpy(buffer, values.begin(), values.size() * sizeof(abi::FieldValue));
    require(call(Hypercall::VcpuSetFields, vm, current, address_of(buffer), values.size()), "set");
}

void sum_to_zero(u64 gpa, u64 size, u64 checksum) {
    u8 sum = 0;
    for (u64 i = 0; i < size; ++i)
        sum = static_cast<u8>(sum + *guest(gpa + i));
    put(checksum, static_cast<u8>(-sum));
}

// A table of ACPI 6.5, 5.2.6, with `size` bytes in all; its body is put in before.
u64 finish_table(u64 gpa, const char* signature, u32 size, u8 revision) {
    std::memcpy(guest(gpa), signature, 4);
    put(gpa + 4, size);
    put(gpa + 8, revision);
    std::memcpy(guest(gpa + 10), "SKEP  SELFTEST", 14);
    sum_to_zero(gpa, size, gpa + 9);
    return gpa;
}

// The least from which Linux learns of the local APICs: a reduced-hardware platform without
// devices.
void load_acpi_tables() {
    constexpr u64 kRsdp = 0xe0000, kXsdt = 0xe0100, kFadt = 0xe0200, kMadt = 0xe0400,
                  kDsdt = 0xe0600;
    constexpr u32 kHardwareReduced = 1 << 20;
    finish_table(kDsdt, "DSDT", 36, 2);
    put(kFadt + 112, kHardwareReduced);
    put(kFadt + 140, kDsdt);
    finish_table(kFadt, "FACP", 276, 6);
    put(kMadt + 36, u32{0xfee0'0000});
    for (unsigned i = 0; i < vcpus; ++i) {
        put(kMadt + 44 + i * 8, u16{0x0800});  // a local APIC's entry, 8 bytes
        put(kMadt + 46 + i * 8, static_cast<u16>(i | i << 8));
        put(kMadt + 48 + i * 8, u32{1});
    }
    finish_table(kMadt, "APIC", 44 + 8 * vcpus, 5);
    put(kXsdt + 36, kFadt);
    put(kXsdt + 44, kMadt);
    finish_table(kXsdt, "XSDT", 52, 1);
    std::memcpy(guest(kRsdp), "RSD PTR ", 8);
    std::memcpy(guest(kRsdp + 9), "SKEP  ", 6);
    put(kRsdp + 15, u8{2});
    put(kRsdp + 20, u32{36});
    put(kRsdp + 24, kXsdt);
    sum_to_zero(kRsdp, 20, kRsdp + 8);
    sum_to_zero(kRsdp, 36, kRsdp + 32);
    put(kBootParameters + 0x70, kRsdp);  // acpi_rsdp_addr
}

void load(const multiboot::BootInformation& information) {
    const auto kernel = information.module("linux");
    if (!kernel)
        stop("no module 'linux'");
    const u8* image = reinterpret_cast<const u8*>(u64{kernel->start});
    constexpr u64 kHeader = 0x1f1, kHeaderEnd = 0x268;
    const u64 setup = (image[kHeader] + 1u) * 512;
    std::memset(guest(0), 0, kKernel);
    std::memcpy(guest(kBootParameters + kHeader), image + kHeader, kHeaderEnd - kHeader);
    std::memcpy(guest(kKernel), image + setup, kernel->end - kernel->start - setup);
    std::memcpy(guest(kCommandLine), kArguments, sizeof kArguments);
    put(kBootParameters + 0x210, u8{0xff});  // type_of_loader
    put(kBootParameters + 0x228, static_cast<u32>(kCommandLine));
    if (const auto initrd = information.module("initrd")) {
        std::memcpy(guest(kInitrd), reinterpret_cast<const u8*>(u64{initrd->start}),
                    initrd->end - initrd->start);
        put(kBootParameters + 0x218, static_cast<u32>(kInitrd));
        put(kBootParameters + 0x21c, initrd->end - initrd->start);
    }
    put(kBootParameters + 0x1e8, u8{2});  // e820 entries
    const u64 e820 = kBootParameters + 0x2d0;
    put(e820, u64{0});
    put(e820 + 8, u64{0x9f000});
    put(e820 + 16, u32{1});
    put(e820 + 20, kKernel);
    put(e820 + 28, kRamSize - kKernel);
    put(e820 + 36, u32{1});

    load_acpi_tables();
    for (u64 i = 0; i < 2048; ++i)
        put(kTables + 0x2000 + i * 8, i << 21 | 0x83);
    for (u64 i = 0; i < 4; ++i)
        put(kTables + 0x1000 + i * 8, kTables + 0x2000 + i * 0x1000 + 3);
    put(kTables, kTables + 0x1000 + 3);
    put(kGdt + 16, u64{0x00af'9b00'0000'ffff});
    put(kGdt + 24, u64{0x00cf'9300'0000'ffff});
}

void create() {
    vm = static_cast<u64>(call(Hypercall::VmCreate));
    require(call(Hypercall::VmMap, vm, 0, kRam, kRamSize, 7), "map");
    auto* entries = reinterpret_cast<abi::CpuidEntry*>(buffer);
    constexpr u32 kLeaves[] = {0,           1,           7,           0xd,
                               0x8000'0000, 0x8000'0001, 0x8000'0002, 0x8000'0003,
                               0x8000'0004, 0x8000'0007, 0x8000'0008};
    u64 count = 0;
    for (const u32 leaf : kLeaves)
        entries[count++] = {leaf, 0, leaf == 7 || leaf == 0xd, 0, 0, 0, 0, 0};
    for (u32 i = 1; i < 10; ++i)
        entries[count++] = {0xd, i, 1, 0, 0, 0, 0, 0};
    require(call(Hypercall::CpuidSupported, address_of(buffer), count), "supported");
    entries[0].eax = 0xd;
    entries[4].eax = 0x8000'0008;
    require(call(Hypercall::VmSetCpuid, vm, address_of(buffer), count), "cpuid");
    for (unsigned i = 0; i < vcpus; ++i)
        require(call(Hypercall::VcpuCreate, vm, i, address_of(page_frames[i])), "vcpu");

    const auto segment = [](Field first, u64 selector, u64 access) {
        const auto number = static_cast<u32>(first);
        set_fields({{first, 0, selector},
                    {static_cast<Field>(number + 1), 0, 0},
                    {static_cast<Field>(number + 2), 0, 0xffff'ffff},
                    {static_cast<Field>(number + 3), 0, access}});
    };
    segment(Field::CsSelector, 16, 0xa09b);
    constexpr u64 kBusyTss = 0x8b;
    set_fields({{Field::TrLimit, 0, 0x67}, {Field::TrAccess, 0, kBusyTss}});
    for (const Field data : {Field::EsSelector, Field::SsSelector, Field::DsSelector,
                             Field::FsSelector, Field::GsSelector})
        segment(data, 24, 0xc093);
    set_fields({{Field::Efer, 0, efer::kLme | efer::kLma},
                {Field::Cr3, 0, kTables},
                {Field::Cr4, 0, cr4::kPae},
                {Field::Cr0, 0, cr0::kPg | cr0::kPe | cr0::kNe | cr0::kEt},
                {Field::GdtrBase, 0, kGdt},
                {Field::GdtrLimit, 0, 31},
                {Field::Rip, 0, kKernel + 0x200},
                {Field::Rsi, 0, kBootParameters},
                {Field::Rflags, 0, 2}});
}

// Enough of a 16550 for a polled console.
u8 uart[8];

u64 read_port(u16 port) {
    constexpr u16 kUart = 0x3f8;
    if (port < kUart || port >= kUart + 8)
        return port == 0x71 || port == 0x64 || port == 0x61 ? 0 : ~u64{0};
    switch (port - kUart) {
        case 0:
            return 0;
        case 2:
            return 1;
        case 5:
            return 0x60;
        case 6:
            return 0xb0;
        default:
            return uart[port - kUart];
    }
}

void write_port(u16 port, u8 value) {
    constexpr u16 kUart = 0x3f8;
    if (port == 0x64 && value == 0xfe) {
        const abi::HostStats stats = host_stats();
        print("hv-linux: the guest has rebooted; exits handled by hv {}, by the owner {}",
              stats.guest_exits_handled, stats.hypercalls);
        end(0);
    }
    if (port < kUart || port >= kUart + 8)
        return;
    if (port == kUart && (uart[3] & 0x80) == 0) {
        SerialSink sink;
        if (value != '\r')
            sink.put(static_cast<char>(value));
    } else {
        uart[port - kUart] = value;
    }
}

void complete() {
    page.rip += page.instruction_length;
    page.write_back = abi::kWriteBackGeneral | abi::kWriteBackRip;
}

void do_io() {
    if (page.io.is_string != 0)
        stop("string I/O");
    if (page.io.is_in != 0) {
        const u64 value = read_port(page.io.port);
        const u64 mask = page.io.size == 4 ? ~u64{0} : (u64{1} << 8 * page.io.size) - 1;
        page.general.rax =
            page.io.size == 4 ? value & 0xffff'ffff : (page.general.rax & ~mask) | (value & mask);
    } else {
        write_port(page.io.port, static_cast<u8>(page.general.rax));
    }
    complete();
}

void do_msr() {
    // #GP, as on a machine without it.
    require(call(Hypercall::VcpuInject, vm, current,
                 static_cast<u64>(abi::InjectKind::ExceptionWithCode), 13, 0),
            "inject");
}

}  // namespace

extern "C" void selftest_main() {
    set_up_machine();
    start_ticks();
    const auto* information = reinterpret_cast<const u8*>(u64{boot_information});
    u32 size;
    std::memcpy(&size, information, 4);
    const multiboot::BootInformation boot({information, size});
    boot.for_each_tag([](const multiboot::Tag& tag) {
        // The payload's own command line: how many vCPUs.
        if (tag.type == multiboot::TagType::CommandLine && !tag.text(0).empty())
            vcpus = static_cast<unsigned>(tag.text(0)[0] - '0');
    });
    if (vcpus == 0 || vcpus > kMaxVcpus)
        vcpus = 1;
    load(boot);
    create();
    print("hv-linux: starting with {} vCPUs", vcpus);
    u64 next_deadline = abi::kNoDeadline;
    for (unsigned halted = 0;;) {
        require(call(Hypercall::VcpuRun, vm, current), "run");
        const ExitReason reason = page.reason;
        switch (reason) {
            case ExitReason::Interrupted:
            case ExitReason::TimerArmed:
            case ExitReason::Pause:
            case ExitReason::WakeVcpus:
            case ExitReason::Reset:
                asm volatile("sti; nop; cli");
                break;
            case ExitReason::Hlt:
                if (page.timer_deadline < next_deadline)
                    next_deadline = page.timer_deadline;
                break;
            case ExitReason::Io:
                do_io();
                break;
            case ExitReason::MsrRead:
            case ExitReason::MsrWrite:
                do_msr();
                break;
            case ExitReason::Mmio:
                print("hv-linux: MMIO at {}", Hex{page.mmio.gpa});
                stop("MMIO");
            default:
                print("hv-linux: exit {} of {}", static_cast<u32>(reason), current);
                stop("exit");
        }
        // The next one's turn at each tick and when this one has nothing to do.
        halted = reason == ExitReason::Hlt ? halted + 1 : 0;
        if (halted >= vcpus) {
            if (next_deadline == abi::kNoDeadline)
                stop("all halted for ever");
            while (read_tsc() < next_deadline)
                pause();
            halted = 0;
        }
        if (reason != ExitReason::Hlt)
            next_deadline = abi::kNoDeadline;
        if (reason == ExitReason::Hlt || reason == ExitReason::Interrupted)
            current = (current + 1) % vcpus;
    }
}

// The only interrupts are the ticks.
extern "C" void selftest_exception(u64* frame) {
    if (frame[0] != 32) {
        print("hv-linux: exception {} at {}", frame[0], Hex{frame[2]});
        end(1);
    }
    end_tick();
}

extern "C" void selftest_cpu() {}

}  // namespace skep::hv::selftest
