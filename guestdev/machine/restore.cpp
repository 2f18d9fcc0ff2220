// Machine: restoring. Everything is judged before anything is created.
#include <guestdev/machine/machine.hpp>

#include <guestdev/boot/memory_map.hpp>
#include <guestdev/cpuid/cpuid_policy.hpp>

#include <snapshot/claims.hpp>
#include <snapshot/reader.hpp>

#include <algorithm>

namespace skep::guestdev {
namespace {

// How far the host's TSC may be from the one that the guest was made on. Two measurements of the
// same TSC differ by less; hv cannot scale it.
constexpr std::uint64_t kTscTolerancePerMille = 10;

constexpr GuestTime kGuestTimeLimit = 1ull << 62;  // 146 years

std::vector<abi::CpuidEntry> load_cpuid(const snapshot::v1::Cpu& cpu) {
    std::vector<abi::CpuidEntry> entries;
    for (const auto& message : cpu.cpuid())
        entries.push_back({.leaf = message.leaf(),
                           .subleaf = message.subleaf(),
                           .flags = message.has_subleaf() ? 1u : 0u,
                           .eax = message.eax(),
                           .ebx = message.ebx(),
                           .ecx = message.ecx(),
                           .edx = message.edx(),
                           .reserved = 0});
    return entries;
}

Status check_tsc(std::uint64_t wanted, std::uint64_t here) {
    std::uint64_t difference = wanted > here ? wanted - here : here - wanted;
    if (wanted != 0 && difference <= wanted / 1000 * kTscTolerancePerMille)
        return {};
    return fail(Code::FailedPrecondition,
                "the guest's TSC runs at " + std::to_string(wanted / 1'000'000) +
                    " MHz, this host's at " + std::to_string(here / 1'000'000) + " MHz");
}

Status check_ram(const snapshot::v1::Manifest& manifest) {
    auto ranges = ram_ranges(manifest.machine().memory_bytes());
    bool same = static_cast<std::size_t>(manifest.ram_size()) == ranges.size() &&
                std::ranges::equal(manifest.ram(), ranges, [](const auto& saved, RamRange range) {
                    return saved.gpa() == range.gpa && saved.size() == range.size;
                });
    if (same)
        return {};
    return fail(Code::DataLoss, "the snapshot's RAM is laid out otherwise than this release does");
}

// Tells of RAM and disks together, as a save does, from what it hears of one part after the other.
class RestoreProgress {
  public:
    RestoreProgress(const snapshot::ProgressCallback& whole, std::uint64_t total)
        : whole_(whole), total_(total) {}

    // Of the part with these bytes, which comes next.
    snapshot::ProgressCallback part(std::uint64_t size) {
        std::uint64_t before = before_;
        before_ += size;
        return [this, before, size](std::uint64_t done, std::uint64_t total) {
            // Zero pages are not loaded: what is loaded stands for all.
            auto share = total == 0 ? size : static_cast<std::uint64_t>(Wide(size) * done / total);
            return !whole_ || whole_(before + share, total_);
        };
    }

  private:
    const snapshot::ProgressCallback& whole_;
    std::uint64_t total_, before_ = 0;
};

std::uint64_t bytes_to_restore(const snapshot::v1::Manifest& manifest) {
    std::uint64_t total = manifest.machine().memory_bytes();
    for (const auto& disk : manifest.disks())
        total += disk.size_bytes();
    return total;
}

}  // namespace

Status Machine::restore(int snapshot_fd, std::span<const int> disks,
                        const snapshot::ProgressCallback& progress) {
    SKEP_TRY(expect_phase(Phase::Empty, "restore"));
    if (spent_)
        return fail(Code::FailedPrecondition, "restore: an earlier attempt failed half-way");
    host_ = SKEP_TRY(vmm_.host());

    // Pages are checked once more as they are loaded, so they need not be decompressed twice.
    snapshot::FdFile file(snapshot_fd);
    // Judging counts as nothing done, but can be broken off.
    auto judging = [&](std::uint64_t, std::uint64_t size) {
        return !progress || progress(0, size);
    };
    auto saved = SKEP_TRY(
        snapshot::Snapshot::open(file, {.depth = snapshot::Depth::Checksums, .progress = judging}));
    const snapshot::v1::Manifest& manifest = saved.manifest();
    const vm::v1::MachineSpec& spec = manifest.machine();
    SKEP_TRY(check_spec(spec, disks.size()));
    SKEP_TRY(check_ram(manifest));
    for (const auto& disk : manifest.disks()) {
        if (!disk.has_copy())
            return fail(Code::Unimplemented,
                        "disk \"" + disk.name() + "\" is only referred to, not in the snapshot");
    }
    auto supported = SKEP_TRY(vmm_.supported_cpuid());
    auto cpuid = load_cpuid(manifest.cpu());
    SKEP_TRY(check_cpuid(cpuid, {.supported = supported,
                                 .xcr0_supported = host_.host.xcr0_supported,
                                 .vcpus = spec.vcpus()}));
    SKEP_TRY(check_tsc(manifest.cpu().tsc_frequency_hz(), host_.tsc_frequency));
    if (saved.vcpus().size() != spec.vcpus())
        return fail(Code::DataLoss, "the snapshot holds " + std::to_string(saved.vcpus().size()) +
                                        " vCPUs, its machine has " + std::to_string(spec.vcpus()));
    std::vector<VcpuFields> fields;
    for (const auto& state : saved.vcpus())
        fields.push_back(SKEP_TRY(to_fields(state)));
    GuestTime guest_time = saved.clock().guest_time_ns();
    if (guest_time > kGuestTimeLimit)
        return fail(Code::DataLoss, "the snapshot's guest time is out of range");

    // The board needs nothing of the host: it may be built to judge the devices' state.
    clock_.set(guest_time);
    SKEP_TRY(build_board(spec, disks, 0, manifest.cpu().tsc_frequency_hz()));
    snapshot::Claims claims(saved.devices());
    Status devices = board_->restore(claims);
    if (devices) {
        if (auto left_over = claims.finish(); !left_over)
            devices = std::unexpected(Error(left_over.error()));
    }
    if (!devices) {
        exits_.reset();
        board_.reset();
        return devices;
    }

    spent_ = true;
    cpuid_ = std::move(cpuid);
    SKEP_TRY(create_memory());
    RestoreProgress so_far(progress, bytes_to_restore(manifest));
    SKEP_TRY(saved.load_ram(
        [this](std::uint64_t gpa, std::uint64_t size) -> snapshot::Result<std::span<std::byte>> {
            if (auto bytes = memory_.at(gpa, size))
                return *bytes;
            return snapshot::fail(snapshot::ErrorCode::Malformed, "a page outside of RAM");
        },
        so_far.part(spec.memory_bytes())));
    for (std::uint32_t i = 0; i < disks.size(); i++) {
        SKEP_TRY(saved.load_disk(
            i,
            [&](std::uint64_t offset, std::span<const std::byte> data) -> snapshot::Status {
                std::uint64_t size = board_->disk(i).size();
                // The last page of a disk is filled up.
                if (offset < size)
                    data = data.first(std::min<std::uint64_t>(data.size(), size - offset));
                if (offset >= size || !board_->disk(i).write(offset, data))
                    return snapshot::fail(snapshot::ErrorCode::Io, "disk " + std::to_string(i) +
                                                                       ": cannot write at offset " +
                                                                       std::to_string(offset));
                return {};
            },
            so_far.part(manifest.disks(static_cast<int>(i)).size_bytes())));
    }
    SKEP_TRY(create_vcpus());
    for (unsigned i = 0; i < vcpus_.size(); i++) {
        SKEP_TRY(write_vcpu(vmm_, i, fields[i]));
        frozen_[i] = clock_of(saved.vcpus()[i]);
    }
    {
        std::lock_guard lock(board_->mutex());
        vcpus_.front()->set_extint(board_->pic().output());
    }
    spent_ = false;
    set_phase(Phase::Paused, "");
    return {};
}

}  // namespace skep::guestdev
