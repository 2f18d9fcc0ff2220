#include <guestdev/machine/machine.hpp>

#include <guestdev/acpi/tables.hpp>
#include <guestdev/boot/linux_boot.hpp>
#include <guestdev/boot/memory_map.hpp>
#include <guestdev/cpuid/cpuid_policy.hpp>

#include <algorithm>
#include <cstring>
#include <set>

namespace skep::guestdev {
namespace {

constexpr std::uint64_t kMemoryUnit = 2 * kMiB;
constexpr std::uint64_t kSector = 512;
constexpr int kDisksMax = 29;  // PCI slots 2..30

const char* name(Phase phase) {
    switch (phase) {
        case Phase::Empty:
            return "empty";
        case Phase::Paused:
            return "paused";
        case Phase::Running:
            return "running";
        case Phase::PoweredOff:
            return "powered off";
        case Phase::Crashed:
            return "crashed";
    }
    return "unknown";
}

std::unexpected<Error> bad_spec(const std::string& what) {
    return fail(Code::InvalidArgument, "machine: " + what);
}

}  // namespace

Machine::Machine(Vmm& vmm, std::function<void()> attention, std::function<void()> line_written)
    : vmm_(vmm), attention_(std::move(attention)), line_written_(std::move(line_written)) {}

Machine::~Machine() {
    park_all();
}

// ---- state

void Machine::set_phase(Phase phase, std::string detail) {
    {
        std::lock_guard lock(state_mutex_);
        phase_ = phase;
        detail_ = std::move(detail);
    }
    attention_();
}

Machine::State Machine::state() const {
    std::lock_guard lock(state_mutex_);
    return {phase_, detail_};
}

Status Machine::expect_phase(Phase wanted, const char* request) const {
    Phase phase = state().phase;
    if (phase == wanted)
        return {};
    return fail(Code::FailedPrecondition,
                std::string(request) + ": the guest is " + name(phase) + ", not " + name(wanted));
}

// The vCPUs park by themselves; the clock is stopped when somebody waits for them.
void Machine::stop_guest(Phase phase, std::string detail) {
    {
        std::lock_guard lock(state_mutex_);
        if (phase_ != Phase::Running)
            return;  // the first reason counts
    }
    set_phase(phase, std::move(detail));
    for (auto& vcpu : vcpus_)
        vcpu->request_park();
}

// ---- building

Status Machine::check_spec(const vm::v1::MachineSpec& spec, std::size_t disk_count) const {
    if (spec.vcpus() < 1 || spec.vcpus() > std::min(64u, host_.host.max_vcpus))
        return bad_spec(std::to_string(spec.vcpus()) + " vCPUs, possible are 1 to " +
                        std::to_string(std::min(64u, host_.host.max_vcpus)));
    if (spec.memory_bytes() == 0 || spec.memory_bytes() % kMemoryUnit ||
        spec.memory_bytes() > 1024 * kGiB)
        return bad_spec("memory of " + std::to_string(spec.memory_bytes()) +
                        " bytes is not a multiple of 2 MiB up to 1 TiB");
    if (spec.nics_size() != 0)
        return fail(Code::Unimplemented, "machine: network devices are not there yet (NIC \"" +
                                             spec.nics(0).name() + "\")");
    if (spec.disks_size() > kDisksMax)
        return bad_spec("more than " + std::to_string(kDisksMax) + " disks");
    if (static_cast<std::size_t>(spec.disks_size()) != disk_count)
        return bad_spec(std::to_string(spec.disks_size()) + " disks, but " +
                        std::to_string(disk_count) + " disk descriptors came");
    std::set<std::string> names;
    for (const auto& disk : spec.disks()) {
        if (disk.name().empty() || !names.insert(disk.name()).second)
            return bad_spec("disk name \"" + disk.name() + "\" is empty or used twice");
        if (disk.size_bytes() == 0 || disk.size_bytes() % kSector)
            return bad_spec("disk \"" + disk.name() + "\": " + std::to_string(disk.size_bytes()) +
                            " bytes is not a multiple of 512");
    }
    return {};
}

Status Machine::build_board(const vm::v1::MachineSpec& spec, std::span<const int> disks,
                            std::int64_t wall_clock_ns, std::uint64_t tsc_frequency) {
    spec_ = spec;
    tsc_frequency_ = tsc_frequency;
    Disks backends;
    for (std::size_t i = 0; i < disks.size(); i++)
        backends.push_back(
            std::make_unique<FdBackend>(disks[i], spec.disks(static_cast<int>(i)).size_bytes()));
    board_ = std::make_unique<Board>(
        spec, std::move(backends), wall_clock_ns, tsc_frequency,
        BoardWiring{
            .memory = memory_,
            .time = clock_,
            .msi =
                [this](const Msi& msi) {
                    if (auto status = vmm_.send_msi(msi); !status)
                        stop_guest(Phase::Crashed, status.error().message);
                },
            .extint =
                [this](bool up) {
                    if (!vcpus_.empty())
                        vcpus_.front()->set_extint(up);
                },
            .power =
                [this](PowerRequest request) {
                    stop_guest(Phase::PoweredOff, request == PowerRequest::Reset
                                                      ? "the guest asked for a reset"
                                                      : "the guest turned itself off");
                },
            .console_output =
                [this] {
                    const std::string& output = board_->uart().output();
                    if (output.back() == '\n')
                        line_written_();
                    else if (output.size() == 1)
                        attention_();
                },
        });
    exits_ = std::make_unique<ExitHandler>(vmm_, *board_, memory_, clock_, [this] {
        if (board_->next_event() < armed_event_)
            attention_();
    });
    return {};
}

Status Machine::create_memory() {
    for (RamRange range : ram_ranges(spec_.memory_bytes()))
        memory_.add(range.gpa, SKEP_TRY(vmm_.add_memory(range.gpa, range.size)));
    return {};
}

Status Machine::create_vcpus() {
    SKEP_TRY(vmm_.set_cpuid(cpuid_));
    for (unsigned i = 0; i < spec_.vcpus(); i++) {
        abi::VcpuPage* page = SKEP_TRY(vmm_.create_vcpu(i));
        vcpus_.push_back(std::make_unique<VcpuThread>(
            i, *page, vmm_, *board_, *exits_,
            [this](std::string why) { stop_guest(Phase::Crashed, std::move(why)); }));
    }
    frozen_.assign(spec_.vcpus(), VcpuClock{});
    return {};
}

Status Machine::configure(const vm::v1::MachineSpec& spec, int kernel, int initrd,
                          std::span<const int> disks) {
    SKEP_TRY(expect_phase(Phase::Empty, "configure"));
    if (spent_)
        return fail(Code::FailedPrecondition, "configure: an earlier attempt failed half-way");
    host_ = SKEP_TRY(vmm_.host());
    SKEP_TRY(check_spec(spec, disks.size()));
    auto supported = SKEP_TRY(vmm_.supported_cpuid());
    cpuid_ = make_cpuid({.supported = supported,
                         .xcr0_supported = host_.host.xcr0_supported,
                         .vcpus = spec.vcpus()});
    spent_ = true;
    SKEP_TRY(build_board(spec, disks, host_wall_clock_ns(), host_.tsc_frequency));
    SKEP_TRY(create_memory());
    auto tables = acpi_tables(kAcpiAddress, spec.vcpus());
    auto target = memory_.at(kAcpiAddress, kAcpiLimit);
    if (!target || tables.size() > target->size())
        return fail(Code::Internal, "the ACPI tables do not fit");
    std::ranges::copy(tables, target->begin());
    FdImage kernel_image(kernel, "kernel image"), initrd_image(initrd, "initrd");
    auto fields = SKEP_TRY(load_linux({.kernel = kernel_image,
                                       .initrd = initrd >= 0 ? &initrd_image : nullptr,
                                       .command_line = spec.boot().command_line(),
                                       .memory_bytes = spec.memory_bytes(),
                                       .rsdp_address = kAcpiAddress},
                                      memory_));
    SKEP_TRY(create_vcpus());
    SKEP_TRY(vmm_.set_fields(0, fields));
    spent_ = false;
    set_phase(Phase::Paused, "");
    return {};
}

// ---- running

Status Machine::go_on() {
    std::lock_guard lock(board_->mutex());
    clock_.start();
    std::uint64_t started = host_monotonic_ns();
    for (unsigned i = 0; i < vcpus_.size(); i++) {
        std::uint64_t passed = ticks_at(host_monotonic_ns() - started, tsc_frequency_);
        SKEP_TRY(write_clock(vmm_, i, frozen_[i], passed));
    }
    return {};
}

Status Machine::run() {
    if (state().phase == Phase::Running)
        return {};
    SKEP_TRY(expect_phase(Phase::Paused, "run"));
    if (auto status = go_on(); !status) {
        std::lock_guard lock(board_->mutex());
        clock_.stop();
        return status;
    }
    set_phase(Phase::Running, "");
    for (auto& vcpu : vcpus_)
        vcpu->resume();
    return {};
}

void Machine::park_all() {
    for (auto& vcpu : vcpus_)
        vcpu->request_park();
    for (auto& vcpu : vcpus_)
        vcpu->wait_parked();
}

Status Machine::pause() {
    if (state().phase == Phase::Paused)
        return {};
    SKEP_TRY(expect_phase(Phase::Running, "pause"));
    park_all();
    // It may have stopped by itself meanwhile.
    SKEP_TRY(expect_phase(Phase::Running, "pause"));
    {
        std::lock_guard lock(board_->mutex());
        for (unsigned i = 0; i < vcpus_.size(); i++)
            frozen_[i] = SKEP_TRY(read_clock(vmm_, i));
        clock_.stop();
    }
    set_phase(Phase::Paused, "");
    return {};
}

GuestTime Machine::serve_timers() {
    std::lock_guard lock(board_->mutex());
    if (clock_.running() && state().phase == Phase::Running) {
        board_->advance(clock_.now());
        armed_event_ = board_->next_event();
    } else {
        armed_event_ = kNever;
    }
    return armed_event_;
}

}  // namespace skep::guestdev
