#include <guestdev/boot/test_kernel_test.hpp>
#include <guestdev/cpuid/host_cpuid_test.hpp>
#include <guestdev/machine/machine.hpp>
#include <guestdev/vmm/fake_vmm_test.hpp>

#include <gtest/gtest.h>
#include <snapshot/reader.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace skep::guestdev {
namespace {

using namespace std::chrono_literals;

// An anonymous file.
class File {
  public:
    File() : fd_(memfd_create("test", MFD_CLOEXEC)) {}
    explicit File(std::span<const std::byte> content) : File() {
        EXPECT_EQ(pwrite(fd_, content.data(), content.size(), 0),
                  static_cast<ssize_t>(content.size()));
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() { close(fd_); }
    int fd() const { return fd_; }
    std::string content() const {
        std::string text(static_cast<std::size_t>(lseek(fd_, 0, SEEK_END)), '\0');
        EXPECT_EQ(pread(fd_, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
        return text;
    }

  private:
    int fd_;
};

vm::v1::MachineSpec spec(unsigned disks = 1) {
    vm::v1::MachineSpec spec;
    spec.set_vcpus(2);
    spec.set_memory_bytes(32 << 20);
    spec.mutable_boot()->set_kernel("kernel");
    spec.mutable_boot()->set_command_line("quiet");
    for (unsigned i = 0; i < disks; i++) {
        spec.add_disks()->set_name("disk" + std::to_string(i));
        spec.mutable_disks(static_cast<int>(i))->set_size_bytes(10'240);
    }
    return spec;
}

struct Guest {
    Guest() { vmm.supported = host_cpuid(); }

    Status configure(const vm::v1::MachineSpec& wanted = spec()) {
        File kernel(test_kernel());
        std::vector<int> fds;
        for (int i = 0; i < wanted.disks_size(); i++)
            fds.push_back(disk.fd());
        return machine.configure(wanted, kernel.fd(), -1, fds);
    }
    Status restore(const File& file) {
        std::array fds = {disk.fd()};
        return machine.restore(file.fd(), fds, {});
    }
    template <typename Condition>
    bool eventually(Condition condition) {
        for (int i = 0; i < 20'000 && !condition(); i++)
            std::this_thread::sleep_for(1ms);
        return condition();
    }
    std::string console() {
        std::lock_guard lock(machine.board()->mutex());
        return machine.board()->uart().output();
    }

    FakeVmm vmm;
    File disk;
    Machine machine{vmm, [] {}, [] {}};
};

TEST(Machine, NamesWhatIsWrongWithTheSpec) {
    auto refused = [](auto change) {
        Guest guest;
        auto wanted = spec();
        change(wanted);
        Status status = guest.configure(wanted);
        EXPECT_EQ(guest.machine.state().phase, status ? Phase::Paused : Phase::Empty);
        return status ? "" : status.error().message;
    };
    EXPECT_EQ(refused([](auto&) {}), "");
    EXPECT_EQ(refused([](auto& s) { s.set_vcpus(9); }), "machine: 9 vCPUs, possible are 1 to 8");
    EXPECT_EQ(refused([](auto& s) { s.set_memory_bytes(1 << 20); }),
              "machine: memory of 1048576 bytes is not a multiple of 2 MiB up to 1 TiB");
    EXPECT_EQ(refused([](auto& s) { s.mutable_disks(0)->set_name(""); }),
              "machine: disk name \"\" is empty or used twice");
    EXPECT_EQ(refused([](auto& s) { s.mutable_disks(0)->set_size_bytes(100); }),
              "machine: disk \"disk0\": 100 bytes is not a multiple of 512");
    EXPECT_EQ(refused([](auto& s) { s.add_nics()->set_name("net"); }),
              "machine: network devices are not there yet (NIC \"net\")");
    Guest guest;
    EXPECT_EQ(guest.machine.configure(spec(), guest.disk.fd(), -1, {}).error().message,
              "machine: 1 disks, but 0 disk descriptors came");
}

TEST(Machine, RequestsOutOfOrderAreRefused) {
    Guest guest;
    EXPECT_EQ(guest.machine.run().error().message, "run: the guest is empty, not paused");
    EXPECT_EQ(guest.machine.pause().error().message, "pause: the guest is empty, not running");
    ASSERT_TRUE(guest.configure());
    EXPECT_EQ(guest.configure().error().message, "configure: the guest is paused, not empty");
    EXPECT_TRUE(guest.machine.pause());
    EXPECT_TRUE(guest.machine.run());
    EXPECT_TRUE(guest.machine.run());
}

TEST(Machine, AFailedConfigureLeavesNothingToRun) {
    Guest guest;
    File kernel;
    std::array fds = {guest.disk.fd()};
    EXPECT_EQ(guest.machine.configure(spec(), kernel.fd(), -1, fds).error().message,
              "kernel image: not a Linux bzImage (too short)");
    EXPECT_EQ(guest.machine.state().phase, Phase::Empty);
    EXPECT_EQ(guest.configure().error().message, "configure: an earlier attempt failed half-way");
}

TEST(Machine, GuestWritesItsConsoleAndPowersOff) {
    Guest guest;
    ASSERT_TRUE(guest.configure());
    for (char c : std::string("hi\n"))
        guest.vmm.script_out(0x3f8, static_cast<std::uint8_t>(c));
    ASSERT_TRUE(guest.machine.run());
    EXPECT_TRUE(guest.eventually([&] { return guest.console() == "hi\n"; }));
    guest.vmm.script([](abi::VcpuPage& page) {
        page.reason = abi::ExitReason::Io;
        page.io = {
            .port = 0x604, .size = 2, .is_in = 0, .is_string = 0, .is_rep = 0, .reserved = {}};
        page.instruction_length = 1;
        page.general.rax = 1 << 13;
    });
    EXPECT_TRUE(guest.eventually([&] { return guest.machine.state().phase == Phase::PoweredOff; }));
    EXPECT_EQ(guest.machine.state().detail, "the guest turned itself off");
    EXPECT_FALSE(guest.machine.run());
}

TEST(Machine, CrashesAreStatesWithReasons) {
    auto crash = [](FakeVmm::Exit exit) {
        Guest guest;
        EXPECT_TRUE(guest.configure());
        guest.vmm.script(std::move(exit));
        EXPECT_TRUE(guest.machine.run());
        EXPECT_TRUE(
            guest.eventually([&] { return guest.machine.state().phase == Phase::Crashed; }));
        return guest.machine.state().detail;
    };
    EXPECT_EQ(crash([](abi::VcpuPage& page) {
                  page.reason = abi::ExitReason::Shutdown;
                  page.rip = 0x1234;
              }),
              "vCPU 0: triple fault at 0x1234");
    EXPECT_EQ(crash([](abi::VcpuPage& page) {
                  page.reason = abi::ExitReason::Mmio;
                  page.mmio = {0xfec0'0000, abi::AccessKind::Read, 0};
                  page.efer = 1 << 10;
                  page.cs_access_rights = 1 << 13;
                  page.rip = 0x10;
                  page.instruction[0] = 0x0f;
                  page.instruction[1] = 0x10;
                  page.instruction[2] = 0x06;
                  page.instruction_bytes = 3;
              }),
              "vCPU 0: cannot complete the instruction 0f 10 06 at 0x10, which accesses address "
              "0xfec00000");
    EXPECT_EQ(crash([](abi::VcpuPage& page) { page.reason = static_cast<abi::ExitReason>(99); }),
              "vCPU 0: hv gave an unknown reason, 99");
    EXPECT_EQ(
        crash([](abi::VcpuPage& page) {
            page.reason = abi::ExitReason::Io;
            page.io = {
                .port = 1, .size = 3, .is_in = 1, .is_string = 0, .is_rep = 0, .reserved = {}};
            page.instruction_length = 1;
        }),
        "vCPU 0: hv reports a port access of 3 bytes");
}

TEST(Machine, MmioIsEmulated) {
    Guest guest;
    ASSERT_TRUE(guest.configure());
    std::uint64_t read = 0;
    guest.vmm.script([](abi::VcpuPage& page) {  // mov dword [rbx], 1: IOREGSEL = version
        page.reason = abi::ExitReason::Mmio;
        page.mmio = {0xfec0'0000, abi::AccessKind::Write, 0};
        page.efer = 1 << 10;
        page.cs_access_rights = 1 << 13;
        page.rip = 0x1000;
        page.general.rbx = 0xffff'8000'0000'0000;
        constexpr std::uint8_t kCode[] = {0xc7, 0x03, 1, 0, 0, 0};
        std::ranges::copy(kCode, page.instruction);
        page.instruction_bytes = sizeof kCode;
    });
    guest.vmm.script([](abi::VcpuPage& page) {  // mov eax, [rbx+0x10]
        EXPECT_EQ(page.rip, 0x1006u);
        page.mmio = {0xfec0'0010, abi::AccessKind::Read, 0};
        constexpr std::uint8_t kCode[] = {0x8b, 0x43, 0x10};
        std::ranges::copy(kCode, page.instruction);
        page.instruction_bytes = sizeof kCode;
    });
    guest.vmm.script([&](abi::VcpuPage& page) {
        read = page.general.rax;
        page.reason = abi::ExitReason::Interrupted;
    });
    ASSERT_TRUE(guest.machine.run());
    EXPECT_TRUE(guest.eventually([&] { return guest.vmm.script_done(); }));
    ASSERT_TRUE(guest.machine.pause());
    EXPECT_EQ(read, 0x0017'0011u);
}

TEST(Machine, UnknownMsrsFaultAndKnownOnesAnswer) {
    Guest guest;
    ASSERT_TRUE(guest.configure());
    auto read = [](std::uint32_t index) {
        return [index](abi::VcpuPage& page) {
            page.reason = abi::ExitReason::MsrRead;
            page.msr = {index, 0, 0};
            page.instruction_length = 2;
            page.general.rax = page.general.rdx = ~0ull;
            page.rip = 0x100;
        };
    };
    std::uint64_t rip = 0, rax = 1;
    guest.vmm.script(read(0x12345));
    guest.vmm.script(read(0x8b));
    guest.vmm.script([&](abi::VcpuPage& page) {
        rip = page.rip;
        rax = page.general.rax;
        page.reason = abi::ExitReason::Interrupted;
    });
    ASSERT_TRUE(guest.machine.run());
    EXPECT_TRUE(guest.eventually([&] { return guest.vmm.script_done(); }));
    ASSERT_TRUE(guest.machine.pause());
    ASSERT_EQ(guest.vmm.injected.size(), 1u);
    EXPECT_EQ(guest.vmm.injected[0].vector, 13u);
    EXPECT_EQ(rip, 0x102u);
    EXPECT_EQ(rax, 0u);
}

// Gives every field a value of its own, so that two that are mixed up show.
void fill_state(FakeVmm& vmm, unsigned vcpus) {
    for (unsigned vcpu = 0; vcpu < vcpus; vcpu++) {
        for (std::uint32_t id = 0; id < 256; id++)
            vmm.fields[vcpu][static_cast<abi::Field>(id)] = id * 3 + vcpu + 1;
        vmm.fields[vcpu][abi::Field::NmiPending] = 1;
        vmm.fields[vcpu][abi::Field::Interruptibility] = 3;
    }
    for (std::size_t i = 0; i < vmm.xsave.size(); i++)
        vmm.xsave[i] = static_cast<std::byte>(i * 7);
    for (std::size_t i = 0x20; i < 0x400; i += 16)
        vmm.apic[i] = static_cast<std::byte>(i / 16);
}

TEST(Machine, SavesAndRestoresEverything) {
    Guest first;
    ASSERT_TRUE(first.configure());
    ASSERT_EQ(pwrite(first.disk.fd(), "content", 7, 5000), 7);
    auto ram = first.vmm.add_memory(0, 0);  // only to see that nothing else allocates
    ASSERT_TRUE(ram);
    ASSERT_TRUE(first.machine.run());
    first.vmm.script_out(0x3f8 + 7, 0x77);  // the UART's scratch register
    first.vmm.script_out(0x3f8, 'x');
    ASSERT_TRUE(first.eventually([&] { return first.console() == "x"; }));
    ASSERT_TRUE(first.machine.pause());
    fill_state(first.vmm, 2);
    File file;
    auto outcome = first.machine.save(file.fd(), "test", {});
    ASSERT_TRUE(outcome) << outcome.error().message;
    EXPECT_EQ(outcome->ram_bytes, 32u << 20);

    Guest second;
    Status restored = second.restore(file);
    ASSERT_TRUE(restored) << restored.error().message;
    EXPECT_EQ(second.machine.state().phase, Phase::Paused);
    EXPECT_EQ(second.console(), "x");
    EXPECT_EQ(second.vmm.cpuid.size(), first.vmm.cpuid.size());
    EXPECT_EQ(second.vmm.xsave, first.vmm.xsave);
    EXPECT_EQ(second.disk.content().substr(5000, 7), "content");
    // What the completed OUT left for the next run is in: RIP came from the page, the shadow is
    // over.
    for (auto& [vcpu, fields] : second.vmm.fields) {
        for (auto& [id, value] : fields) {
            if (vcpu == 0 && (id == abi::Field::Rip || id == abi::Field::Interruptibility))
                continue;
            EXPECT_EQ(value, first.vmm.fields[vcpu][id])
                << vcpu << " " << static_cast<unsigned>(id);
        }
    }
    EXPECT_EQ(second.vmm.fields[0][abi::Field::Rip], 2u);
    EXPECT_EQ(second.vmm.fields[0][abi::Field::Interruptibility], 0u);
    // The clock goes on where it stood.
    ASSERT_TRUE(second.machine.run());
    EXPECT_GE(second.vmm.fields[1][abi::Field::Tsc], first.vmm.fields[1][abi::Field::Tsc]);
    std::uint64_t scratch = 0;
    second.vmm.script([](abi::VcpuPage& page) {
        page.reason = abi::ExitReason::Io;
        page.io = {
            .port = 0x3ff, .size = 1, .is_in = 1, .is_string = 0, .is_rep = 0, .reserved = {}};
        page.instruction_length = 1;
    });
    second.vmm.script([&](abi::VcpuPage& page) {
        scratch = page.general.rax;
        page.reason = abi::ExitReason::Interrupted;
    });
    EXPECT_TRUE(second.eventually([&] { return second.vmm.script_done(); }));
    ASSERT_TRUE(second.machine.pause());
    EXPECT_EQ(scratch, 0x77u);
    File again;
    EXPECT_TRUE(second.machine.save(again.fd(), "test", {}));
}

TEST(Machine, GuestTimeStandsStillWhileSaved) {
    Guest first;
    ASSERT_TRUE(first.configure());
    ASSERT_TRUE(first.machine.run());
    std::this_thread::sleep_for(5ms);
    File file;
    ASSERT_TRUE(first.machine.save(file.fd(), "test", {}));
    GuestTime stopped = first.machine.time().now();
    EXPECT_GT(stopped, 4'000'000u);
    std::this_thread::sleep_for(5ms);
    EXPECT_EQ(first.machine.time().now(), stopped);
    Guest second;
    ASSERT_TRUE(second.restore(file));
    EXPECT_EQ(second.machine.time().now(), stopped);
}

TEST(Machine, RestoreRefusesWhatThisHostCannotDo) {
    Guest first;
    ASSERT_TRUE(first.configure());
    File file;
    ASSERT_TRUE(first.machine.save(file.fd(), "test", {}));
    {
        Guest other;
        other.vmm.tsc_frequency = 3'000'000'000;
        EXPECT_EQ(other.restore(file).error().message,
                  "the guest's TSC runs at 2000 MHz, this host's at 3000 MHz");
        EXPECT_TRUE(other.vmm.cpuid.empty()) << "nothing was created";
    }
    {
        Guest other;
        for (auto& entry : other.vmm.supported)
            entry.edx &= entry.leaf == 1 ? ~(1u << 26) : ~0u;
        EXPECT_EQ(other.restore(file).error().message,
                  "the guest uses CPU features that this host lacks: SSE2");
    }
    {
        Guest other;
        EXPECT_EQ(other.machine.restore(file.fd(), {}, {}).error().message,
                  "machine: 1 disks, but 0 disk descriptors came");
        EXPECT_TRUE(other.restore(file)) << "a refused restore may be tried again";
    }
    {
        Guest other;
        std::string bytes = file.content();
        bytes.resize(bytes.size() - 1);
        File cut(std::as_bytes(std::span(bytes)));
        EXPECT_FALSE(other.restore(cut));
        EXPECT_TRUE(other.vmm.cpuid.empty());
    }
}

}  // namespace
}  // namespace skep::guestdev
