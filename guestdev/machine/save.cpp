// Machine: saving.
#include <guestdev/machine/machine.hpp>

#include <guestdev/boot/memory_map.hpp>

#include <snapshot/writer.hpp>

#include <algorithm>
#include <thread>

namespace skep::guestdev {
namespace {

constexpr std::size_t kDiskChunk = 8 << 20;
constexpr unsigned kThreadsMax = 8;

void save_cpuid(const abi::CpuidEntry& entry, snapshot::v1::CpuidEntry& message) {
    message.set_leaf(entry.leaf);
    if (entry.flags & 1)
        message.set_subleaf(entry.subleaf);
    message.set_eax(entry.eax);
    message.set_ebx(entry.ebx);
    message.set_ecx(entry.ecx);
    message.set_edx(entry.edx);
}

}  // namespace

snapshot::v1::Manifest Machine::manifest(const std::string& creator) const {
    snapshot::v1::Manifest manifest;
    manifest.set_creator(creator);
    manifest.set_create_time_unix_ns(host_wall_clock_ns());
    *manifest.mutable_machine() = spec_;
    for (RamRange range : ram_ranges(spec_.memory_bytes())) {
        auto* ram = manifest.add_ram();
        ram->set_gpa(range.gpa);
        ram->set_size(range.size);
    }
    for (const Device* device : board_->devices()) {
        auto* entry = manifest.add_devices();
        entry->set_kind(device->id().kind);
        entry->set_instance(device->id().instance);
        entry->set_version(device->id().version);
    }
    for (const auto& disk : spec_.disks()) {
        auto* entry = manifest.add_disks();
        entry->set_name(disk.name());
        entry->set_size_bytes(disk.size_bytes());
        entry->mutable_copy();
    }
    for (const abi::CpuidEntry& entry : cpuid_)
        save_cpuid(entry, *manifest.mutable_cpu()->add_cpuid());
    manifest.mutable_cpu()->set_tsc_frequency_hz(tsc_frequency_);
    return manifest;
}

Status Machine::save_state(snapshot::Writer& writer) {
    snapshot::v1::Clock clock;
    clock.set_wall_clock_unix_ns(host_wall_clock_ns());
    clock.set_guest_time_ns(clock_.now());
    SKEP_TRY(writer.clock(clock));
    for (unsigned i = 0; i < vcpus_.size(); i++) {
        auto state = SKEP_TRY(read_vcpu(vmm_, i, vcpus_[i]->page()));
        set_clock(state, frozen_[i]);
        SKEP_TRY(writer.vcpu(state));
    }
    std::lock_guard lock(board_->mutex());
    for (const Device* device : board_->devices())
        SKEP_TRY(writer.device(device->id().kind, device->id().instance, *device->save()));
    return {};
}

Result<SaveOutcome> Machine::save(int target, const std::string& creator,
                                  const snapshot::ProgressCallback& progress) {
    SKEP_TRY(pause());
    snapshot::FdSink sink(target);
    snapshot::WriterOptions options;
    options.progress = progress;
    // The vCPUs stand still: the machine's CPUs have nothing better to do.
    options.threads = std::clamp(std::thread::hardware_concurrency(), 1u, kThreadsMax);
    auto writer = SKEP_TRY(snapshot::Writer::begin(sink, manifest(creator), options));
    SKEP_TRY(save_state(writer));
    for (const GuestMemory::Region& region : memory_.regions())
        SKEP_TRY(writer.ram(region.gpa, region.bytes));
    std::vector<std::byte> chunk(kDiskChunk);
    for (int i = 0; i < spec_.disks_size(); i++) {
        std::uint64_t size = spec_.disks(i).size_bytes();
        auto index = static_cast<std::uint32_t>(i);
        for (std::uint64_t offset = 0; offset < size; offset += chunk.size()) {
            auto part =
                std::span(chunk).first(std::min<std::uint64_t>(chunk.size(), size - offset));
            if (!board_->disk(index).read(offset, part))
                return fail(Code::Unavailable, "disk \"" + spec_.disks(i).name() +
                                                   "\": cannot read at offset " +
                                                   std::to_string(offset));
            SKEP_TRY(writer.disk(index, offset, part));
        }
    }
    snapshot::Summary summary = SKEP_TRY(writer.finish());
    return SaveOutcome{.bytes_written = summary.file_bytes,
                       .ram_bytes = summary.ram_bytes,
                       .zero_bytes = summary.ram_zero_bytes + summary.disk_zero_bytes};
}

}  // namespace skep::guestdev
