// skep-vmm-test [CASE...]: /dev/vmm from a process's side, on a real guest. Runs in the appliance,
// under hv. Prints "ok CASE" for each and ends with status 0, or with "FAILED ..." and 1.
#include <tests/vmm/guest.hpp>

#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#define GUEST_CODE(name)                                                \
    extern "C" const std::uint8_t guest_##name[], guest_##name##_end[]; \
    std::span<const std::uint8_t> name##_code() {                       \
        return {guest_##name, guest_##name##_end};                      \
    }

GUEST_CODE(io)
GUEST_CODE(mmio)
GUEST_CODE(timer)
GUEST_CODE(halt)
GUEST_CODE(spin)
GUEST_CODE(handler)
GUEST_CODE(start_sibling)
GUEST_CODE(sibling)
GUEST_CODE(dirty)
GUEST_CODE(crash)

namespace skep::vmm_test {
namespace {

using namespace std::chrono_literals;
using skep::abi::kWriteBackGeneral;

constexpr std::uint64_t kApic = 0xfee0'0000;
constexpr std::uint64_t kHandler = 0x4000;

void with_handler(Guest& guest, unsigned vector) {
    guest.put(kHandler, handler_code());
    guest.set_handler(vector, kHandler);
}

bool exits_by_port(Guest& guest, std::uint16_t port, unsigned vcpu = 0) {
    return guest.run(vcpu) == 0 && guest.page(vcpu).reason == ExitReason::Io &&
           guest.page(vcpu).io.port == port;
}

void io() {
    Guest guest("test-io");
    guest.load(io_code());
    REQUIRE(exits_by_port(guest, 0x10));
    REQUIRE(!guest.page().io.is_in && guest.page().io.size == 1 &&
            (guest.page().general.rax & 0xff) == 0x5a);
    // Not completed: it comes again.
    REQUIRE(exits_by_port(guest, 0x10));
    guest.complete();
    REQUIRE(exits_by_port(guest, 0x11));
    REQUIRE(guest.page().io.is_in);
    guest.page().general.rax = 0xa5;
    guest.complete();
    REQUIRE(exits_by_port(guest, 0x12));
    REQUIRE((guest.page().general.rax & 0xff) == 0xa5);
}

void mmio() {
    constexpr std::uint64_t kWindow = 0xd000'0000;
    Guest guest("test-mmio");
    guest.load(mmio_code(), kWindow);
    REQUIRE(guest.run() == 0 && guest.page().reason == ExitReason::Mmio);
    REQUIRE(guest.page().mmio.gpa == kWindow + 0x20);
    REQUIRE(guest.page().mmio.access == skep::abi::AccessKind::Write);
    // movl $imm32, disp16: 66 c7 06 20 00 78 56 34 12.
    REQUIRE(guest.page().instruction_bytes >= 9 && guest.page().instruction[1] == 0xc7);
    guest.page().instruction_length = 9;
    guest.complete();
    REQUIRE(guest.run() == 0 && guest.page().reason == ExitReason::Mmio);
    REQUIRE(guest.page().mmio.gpa == kWindow + 0x24);
    REQUIRE(guest.page().mmio.access == skep::abi::AccessKind::Read);
    guest.page().general.rbx = 0xcafe;
    guest.page().instruction_length = 5;  // 66 8b 1e 24 00
    guest.complete();
    REQUIRE(exits_by_port(guest, 0x10));
    REQUIRE(guest.page().general.rbx == 0xcafe);
}

// HLT sleeps in the kernel until the guest's APIC timer; no exit reaches the process in between.
void timer() {
    Guest guest("test-timer");
    guest.load(timer_code(), kApic);
    with_handler(guest, 0x40);
    for (int i = 0; i < 3; ++i) {
        REQUIRE(exits_by_port(guest, 0x40));
        guest.complete();  // the handler ends, the loop arms the timer again
    }
}

void msi_wakes_halted() {
    Guest guest("test-msi-halt");
    guest.load(halt_code(), kApic);
    with_handler(guest, 0x41);
    // Again and again: one that comes before the guest listens is dropped, and two that come before
    // it looks are one.
    std::atomic<int> seen{0};
    std::thread sender([&] {
        for (int i = 0; i < 5; ++i) {
            do {
                std::this_thread::sleep_for(20ms);
                REQUIRE(guest.msi(0x41) == 0);
            } while (seen <= i);
        }
    });
    for (int i = 0; i < 5; ++i) {
        REQUIRE(exits_by_port(guest, 0x40));
        ++seen;
        guest.complete();
    }
    sender.join();
}

void msi_reaches_running() {
    Guest guest("test-msi-spin");
    guest.load(spin_code(), kApic);
    with_handler(guest, 0x42);
    std::atomic<bool> seen{false};
    std::thread sender([&] {
        do {
            std::this_thread::sleep_for(50ms);
            REQUIRE(guest.msi(0x42) == 0);
        } while (!seen);
    });
    REQUIRE(exits_by_port(guest, 0x40));
    seen = true;
    sender.join();
}

void kick() {
    Guest guest("test-kick");
    guest.load(spin_code(), kApic);
    std::thread kicker([&] {
        std::this_thread::sleep_for(50ms);
        REQUIRE(guest.kick() == 0);
    });
    REQUIRE(error_of(guest.run()) == EINTR);
    kicker.join();
    REQUIRE(guest.kick() == 0);
    REQUIRE(error_of(guest.run()) == EINTR);  // the next run
    guest.page().immediate_exit = 1;
    REQUIRE(error_of(guest.run()) == EINTR);
    guest.page().immediate_exit = 0;
    guest.load(halt_code(), kApic);
    std::thread again([&] {
        std::this_thread::sleep_for(50ms);
        REQUIRE(guest.kick() == 0);
    });
    REQUIRE(error_of(guest.run()) == EINTR);  // out of HLT
    again.join();
}

void signals() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    REQUIRE(::sigaction(SIGUSR1, &action, nullptr) == 0);
    for (const auto code : {spin_code(), halt_code()}) {
        Guest guest("test-signal");
        guest.load(code, kApic);
        const pthread_t self = ::pthread_self();
        std::thread sender([&] {
            std::this_thread::sleep_for(50ms);
            REQUIRE(::pthread_kill(self, SIGUSR1) == 0);
        });
        REQUIRE(error_of(guest.run()) == EINTR);
        sender.join();
    }
}

// A running vCPU belongs to its thread; the state of an idle one can be read.
void busy() {
    Guest guest("test-busy");
    guest.load(spin_code(), kApic);
    std::thread other([&] {
        std::this_thread::sleep_for(50ms);
        FieldValue value{Field::Rip, 0, 0};
        const VmmFields fields{0, 1, reinterpret_cast<std::uint64_t>(&value)};
        REQUIRE(error_of(::ioctl(guest.device(), VMM_GET_FIELDS, &fields)) == EBUSY);
        REQUIRE(error_of(guest.run()) == EBUSY);
        REQUIRE(guest.kick() == 0);
    });
    REQUIRE(error_of(guest.run()) == EINTR);
    other.join();
    REQUIRE(guest.get(Field::Rip) > kEntry);
}

void state() {
    Guest guest("test-state");
    guest.load(io_code());
    guest.set(Field::Rcx, 0x1122334455667788);
    REQUIRE(guest.get(Field::Rcx) == 0x1122334455667788);
    std::uint8_t area[4096];
    VmmBlob blob{.index = 0, .size = sizeof area, .data = reinterpret_cast<std::uint64_t>(area)};
    REQUIRE(::ioctl(guest.device(), VMM_GET_XSAVE, &blob) == 0);
    REQUIRE(blob.size >= 576 && blob.size <= sizeof area);
    REQUIRE(::ioctl(guest.device(), VMM_SET_XSAVE, &blob) == 0);
    blob.size = sizeof area;
    REQUIRE(::ioctl(guest.device(), VMM_GET_APIC, &blob) == 0);
    REQUIRE(blob.size == 4096);
    REQUIRE(::ioctl(guest.device(), VMM_SET_APIC, &blob) == 0);
}

void siblings() {
    Guest guest("test-smp");
    guest.create_vcpu(1);
    guest.load(start_sibling_code(), kApic);
    // Start-up vector 2: CS base 0x2000, so its offset 0x1000 is 0x3000.
    guest.put(0x2000, sibling_code());
    std::thread second([&] {
        int result;
        do {
            result = guest.run(1);
        } while (result == 0 && guest.page(1).reason == ExitReason::Reset);
        REQUIRE(error_of(result) == EINTR);
    });
    REQUIRE(exits_by_port(guest, 0x41));
    REQUIRE(guest.ram()[0x3000] == 0x77);
    REQUIRE(guest.kick(1) == 0);
    second.join();
}

void dirty_log() {
    Guest guest("test-dirty");
    guest.load(dirty_code());
    std::uint64_t bitmap[kRam / 4096 / 64] = {};
    VmmDirtyLog log{.gpa = 0,
                    .size = kRam,
                    .op = 0,
                    .reserved = 0,
                    .bitmap = reinterpret_cast<std::uint64_t>(bitmap)};
    log.op = static_cast<std::uint32_t>(skep::abi::DirtyLogOp::Start);
    REQUIRE(::ioctl(guest.device(), VMM_DIRTY_LOG, &log) == 0);
    REQUIRE(exits_by_port(guest, 0x10));
    log.op = static_cast<std::uint32_t>(skep::abi::DirtyLogOp::Harvest);
    REQUIRE(::ioctl(guest.device(), VMM_DIRTY_LOG, &log) == 0);
    REQUIRE(bitmap[0] == (1ull << 0x10 | 1ull << 0x12));
    REQUIRE(::ioctl(guest.device(), VMM_DIRTY_LOG, &log) == 0);
    REQUIRE(bitmap[0] == 0);
    log.op = static_cast<std::uint32_t>(skep::abi::DirtyLogOp::Stop);
    REQUIRE(::ioctl(guest.device(), VMM_DIRTY_LOG, &log) == 0);
}

void triple_fault() {
    Guest guest("test-crash");
    guest.load(crash_code());
    REQUIRE(guest.run() == 0 && guest.page().reason == ExitReason::Shutdown);
}

void refusals() {
    REQUIRE(error_of(Guest::create("")) == EINVAL);
    REQUIRE(error_of(Guest::create("Upper")) == EINVAL);
    REQUIRE(error_of(Guest::create("../etc")) == EINVAL);
    REQUIRE(error_of(Guest::destroy("nobody")) == ENOENT);
    REQUIRE(error_of(::ioctl(Guest::control(), VMMCTL_CREATE, 8)) == EFAULT);
    REQUIRE(error_of(::ioctl(Guest::control(), VMM_MEM_ADD, 8)) == ENOTTY);
    Guest guest("test-refusals");
    REQUIRE(error_of(Guest::create("test-refusals")) == EEXIST);
    const int device = guest.device();
    for (const VmmMemAdd bad :
         {VmmMemAdd{0x200000, 0}, VmmMemAdd{0x1000, kRam}, VmmMemAdd{kRam, 0x1000},
          VmmMemAdd{VMM_PAGE_OFFSET, kRam}, VmmMemAdd{kRam, ~0ull << 21}})
        REQUIRE(error_of(::ioctl(device, VMM_MEM_ADD, &bad)) == EINVAL);
    const VmmMemAdd overlap{0, kRam};
    REQUIRE(error_of(::ioctl(device, VMM_MEM_ADD, &overlap)) == EEXIST);
    const VmmMemAdd huge{1ull << 32, 1ull << 40};
    REQUIRE(error_of(::ioctl(device, VMM_MEM_ADD, &huge)) == ENOMEM);
    VmmVcpu vcpu{.index = 64, .reserved = 0};
    REQUIRE(error_of(::ioctl(device, VMM_VCPU_CREATE, &vcpu)) == EINVAL);
    REQUIRE(error_of(::ioctl(device, VMM_VCPU_RUN, &vcpu)) == ENOENT);
    vcpu.index = 0;
    REQUIRE(error_of(::ioctl(device, VMM_VCPU_CREATE, &vcpu)) == EEXIST);
    REQUIRE(error_of(::ioctl(device, VMM_VCPU_RUN, 16)) == EFAULT);
    VmmFields fields{0, 257, reinterpret_cast<std::uint64_t>(&vcpu)};
    REQUIRE(error_of(::ioctl(device, VMM_SET_FIELDS, &fields)) == EINVAL);
    fields = {0, 1, 64};
    REQUIRE(error_of(::ioctl(device, VMM_SET_FIELDS, &fields)) == EFAULT);
    const FieldValue unknown{static_cast<Field>(9999), 0, 0};
    fields = {0, 1, reinterpret_cast<std::uint64_t>(&unknown)};
    REQUIRE(error_of(::ioctl(device, VMM_SET_FIELDS, &fields)) != 0);
    const VmmMsi astray{.address = 0x1000, .data = 0x41, .reserved = 0};
    REQUIRE(error_of(::ioctl(device, VMM_MSI, &astray)) == EINVAL);
    const VmmInject wrong{.index = 0, .kind = 77, .vector = 0, .error_code = 0};
    REQUIRE(error_of(::ioctl(device, VMM_INJECT, &wrong)) == EINVAL);
    const int flags = PROT_READ | PROT_WRITE;
    REQUIRE(::mmap(nullptr, 2 * kRam, flags, MAP_SHARED, device, 0) == MAP_FAILED &&
            errno == EINVAL);
    REQUIRE(::mmap(nullptr, kRam, flags, MAP_PRIVATE, device, 0) == MAP_FAILED && errno == EINVAL);
    REQUIRE(::mmap(nullptr, 4096, flags, MAP_SHARED, device,
                   static_cast<off_t>(VMM_PAGE_OFFSET + 4096)) == MAP_FAILED);
}

std::uint64_t free_memory() {
    struct sysinfo info {};
    REQUIRE(::sysinfo(&info) == 0);
    return info.freeram * info.mem_unit;
}

// What a big guest took is there again, within what caches of the kernel may keep.
bool memory_is_back(std::uint64_t before) {
    constexpr std::uint64_t kSlack = 2 << 20;
    for (int i = 0; i < 100; ++i) {
        if (free_memory() + kSlack >= before)
            return true;
        std::this_thread::sleep_for(20ms);
    }
    return false;
}

constexpr std::uint64_t kBigRam = 64 << 20;

void memory_comes_back() {
    const std::uint64_t before = free_memory();
    for (int i = 0; i < 4; ++i) {
        Guest guest("test-big", kBigRam);
        REQUIRE(free_memory() + kBigRam <= before);
        guest.ram()[kBigRam - 1] = 1;
    }
    REQUIRE(memory_is_back(before));
}

std::uint64_t hv_counter(const std::string& name) {
    std::ifstream file("/proc/hv");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(name + " "))
            return std::stoull(line.substr(name.size() + 1));
    }
    REQUIRE(false && "no such counter");
    return 0;
}

// hv's counters, as the kernel shows them.
void counters() {
    const std::uint64_t vms = hv_counter("vms"), vcpus = hv_counter("vcpus"),
                        io_exits = hv_counter("guest_exits.io"),
                        hypercalls = hv_counter("hypercalls");
    {
        Guest guest("test-counters");
        guest.load(io_code());
        REQUIRE(hv_counter("vms") == vms + 1);
        REQUIRE(hv_counter("vcpus") == vcpus + 1);
        REQUIRE(exits_by_port(guest, 0x10));
        REQUIRE(exits_by_port(guest, 0x10));
    }
    REQUIRE(hv_counter("guest_exits.io") == io_exits + 2);
    REQUIRE(hv_counter("hypercalls") > hypercalls);
    REQUIRE(hv_counter("vms") == vms);
    REQUIRE(hv_counter("pool_frames_free") < hv_counter("pool_frames_total"));
}

// More vCPUs than hv's own memory is for: it gets the kernel's, which is free again with the
// guests.
void hv_gets_more_memory() {
    const std::uint64_t before = free_memory();
    {
        constexpr unsigned kGuests = 8, kVcpus = 64;
        std::vector<std::unique_ptr<Guest>> guests;
        for (unsigned i = 0; i < kGuests; ++i) {
            guests.push_back(std::make_unique<Guest>(("test-many-" + std::to_string(i)).c_str()));
            for (unsigned index = 1; index < kVcpus; ++index) {
                const VmmVcpu request{.index = index, .reserved = 0};
                REQUIRE(::ioctl(guests[i]->device(), VMM_VCPU_CREATE, &request) == 0);
            }
        }
        // hv has at most 6 MiB to begin with.
        constexpr std::uint64_t kLeast = std::uint64_t{kGuests} * kVcpus * 4 * 4096 - (6 << 20);
        REQUIRE(free_memory() + kGuests * kRam + kLeast <= before);
        guests[0]->load(io_code());
        REQUIRE(exits_by_port(*guests[0], 0x10));
    }
    REQUIRE(memory_is_back(before));
}

void killed_in_the_guest() {
    const std::uint64_t before = free_memory();
    for (const auto code : {spin_code(), halt_code()}) {
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            Guest guest("test-killed", kBigRam);
            guest.load(code, kApic);
            (void)guest.run();
            std::_Exit(99);
        }
        std::this_thread::sleep_for(200ms);
        REQUIRE(::kill(child, SIGKILL) == 0);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        REQUIRE(Guest::destroy("test-killed") == 0);
    }
    REQUIRE(memory_is_back(before));
}

void destroyed_while_running() {
    Guest guest("test-destroy");
    guest.load(spin_code(), kApic);
    std::thread destroyer([&] {
        std::this_thread::sleep_for(50ms);
        REQUIRE(Guest::destroy("test-destroy") == 0);
    });
    REQUIRE(error_of(guest.run()) == ENOENT);
    destroyer.join();
    REQUIRE(error_of(guest.run()) == ENOENT);
    guest.ram()[0] = 1;  // still mapped
    REQUIRE(Guest::create("test-destroy") == 0);
    REQUIRE(Guest::destroy("test-destroy") == 0);
}

struct Case {
    const char* name;
    void (*run)();
};
constexpr Case kCases[] = {
    {"io", io},
    {"mmio", mmio},
    {"timer", timer},
    {"msi_wakes_halted", msi_wakes_halted},
    {"msi_reaches_running", msi_reaches_running},
    {"kick", kick},
    {"signals", signals},
    {"busy", busy},
    {"state", state},
    {"siblings", siblings},
    {"dirty_log", dirty_log},
    {"triple_fault", triple_fault},
    {"refusals", refusals},
    {"memory_comes_back", memory_comes_back},
    {"counters", counters},
    {"hv_gets_more_memory", hv_gets_more_memory},
    {"killed_in_the_guest", killed_in_the_guest},
    {"destroyed_while_running", destroyed_while_running},
};

int run_cases(std::span<char*> names) {
    int ran = 0;
    for (const Case& one : kCases) {
        bool wanted = names.empty();
        for (const char* name : names)
            wanted |= std::string_view(name) == one.name;
        if (!wanted)
            continue;
        one.run();
        std::printf("ok %s\n", one.name);
        std::fflush(stdout);
        ++ran;
    }
    if (ran == 0)
        std::printf("FAILED: no such case\n");
    return ran == 0;
}

}  // namespace
}  // namespace skep::vmm_test

int main(int count, char** arguments) {
    return skep::vmm_test::run_cases({arguments + 1, arguments + count});
}
