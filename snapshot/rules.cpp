#include <snapshot/rules.hpp>

#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <limits>
#include <set>
#include <utility>

namespace skep::snapshot {
namespace {

constexpr std::size_t kMaxNameLength = 128;
constexpr std::uint64_t kMaxAddress = std::uint64_t{1} << 52;  // SDM vol. 3, 4.1.4: MAXPHYADDR
constexpr std::size_t kXsaveMinimum = 576;                     // legacy region and header
constexpr int kApicVectorWords = 8;
constexpr int kMaxNesting = 8;
// Far above any machine; they keep the work on a hostile file proportional to its length.
constexpr int kMaxRamRegions = 64, kMaxDevices = 4096, kMaxDisks = 256;

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= kMaxNameLength &&
           std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f' && c != '/'; });
}

std::uint64_t round_up_to_page(std::uint64_t size) {
    return (size + kPageSize - 1) / kPageSize * kPageSize;
}

Status check_ram(const v1::Manifest& manifest) {
    std::uint64_t total = 0, end = 0;
    for (const v1::RamRegion& region : manifest.ram()) {
        if (region.size() == 0 || region.gpa() % kPageSize != 0 || region.size() % kPageSize != 0 ||
            region.gpa() > kMaxAddress || region.size() > kMaxAddress || region.gpa() < end)
            return fail(ErrorCode::Malformed, "RAM region of " + std::to_string(region.size()) +
                                                  " bytes at " + std::to_string(region.gpa()));
        end = region.gpa() + region.size();
        total += region.size();
    }
    if (total == 0 || total != manifest.machine().memory_bytes())
        return fail(ErrorCode::Malformed, "RAM regions of " + std::to_string(total) +
                                              " bytes for a machine of " +
                                              std::to_string(manifest.machine().memory_bytes()));
    return {};
}

Status check_devices(const v1::Manifest& manifest) {
    std::set<std::pair<std::string_view, std::string_view>> seen;
    for (const v1::DeviceEntry& device : manifest.devices()) {
        if (!is_name(device.kind()) || !is_name(device.instance()) || device.version() == 0)
            return fail(ErrorCode::Malformed, "device entry \"" +
                                                  device_name(device.kind(), device.instance()) +
                                                  "\" version " + std::to_string(device.version()));
        if (!seen.emplace(device.kind(), device.instance()).second)
            return fail(ErrorCode::Duplicate, device_name(device.kind(), device.instance()));
    }
    return {};
}

Status check_disks(const v1::Manifest& manifest) {
    if (manifest.disks_size() != manifest.machine().disks_size())
        return fail(ErrorCode::Malformed, std::to_string(manifest.disks_size()) +
                                              " disk entries for a machine with " +
                                              std::to_string(manifest.machine().disks_size()));
    std::set<std::string_view> seen;
    for (int i = 0; i < manifest.disks_size(); ++i) {
        const v1::DiskEntry& disk = manifest.disks(i);
        if (!is_name(disk.name()))
            return fail(ErrorCode::Malformed, "name of disk " + std::to_string(i));
        if (!seen.insert(disk.name()).second)
            return fail(ErrorCode::Duplicate, "disk " + disk.name());
        if (disk.name() != manifest.machine().disks(i).name() ||
            disk.size_bytes() != manifest.machine().disks(i).size_bytes())
            return fail(ErrorCode::Malformed,
                        "disk " + disk.name() + " is not the machine's disk " + std::to_string(i));
        if (disk.size_bytes() == 0 ||
            disk.size_bytes() > std::uint64_t{std::numeric_limits<std::int64_t>::max()} - kPageSize)
            return fail(ErrorCode::Malformed, "size of disk " + disk.name());
        if (disk.content_case() == v1::DiskEntry::CONTENT_NOT_SET)
            return fail(ErrorCode::Unknown, "where the content of disk " + disk.name() + " is");
    }
    return {};
}

// Names every field that has presence and is not set, in `message` and below it.
Status check_complete(const google::protobuf::Message& message, const std::string& path,
                      int nesting) {
    if (nesting > kMaxNesting)
        return fail(ErrorCode::Malformed, path + " is nested too deeply");
    const auto* reflection = message.GetReflection();
    const auto* descriptor = message.GetDescriptor();
    for (int i = 0; i < descriptor->field_count(); ++i) {
        const auto* field = descriptor->field(i);
        const std::string name = path + field->name();
        const bool is_message =
            field->cpp_type() == google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE;
        if (field->is_repeated()) {
            for (int k = 0; is_message && k < reflection->FieldSize(message, field); ++k)
                SKEP_TRY(check_complete(reflection->GetRepeatedMessage(message, field, k),
                                        name + "[" + std::to_string(k) + "].", nesting + 1));
            continue;
        }
        if (field->has_presence() && !reflection->HasField(message, field))
            return fail(ErrorCode::Missing, name);
        if (is_message)
            SKEP_TRY(
                check_complete(reflection->GetMessage(message, field), name + ".", nesting + 1));
    }
    return {};
}

}  // namespace

Status check_manifest(const v1::Manifest& manifest) {
    if (manifest.ram_size() > kMaxRamRegions || manifest.devices_size() > kMaxDevices ||
        manifest.disks_size() > kMaxDisks)
        return fail(ErrorCode::TooLarge, std::to_string(manifest.ram_size()) + " RAM regions, " +
                                             std::to_string(manifest.devices_size()) +
                                             " devices, " + std::to_string(manifest.disks_size()) +
                                             " disks");
    for (const std::string& feature : manifest.required_features()) {
        if (feature != kFeatureZstd)
            return fail(ErrorCode::Newer, "required feature \"" + feature + "\"");
    }
    const std::uint32_t vcpus = manifest.machine().vcpus();
    if (vcpus == 0 || vcpus > kMaxVcpus)
        return fail(ErrorCode::Malformed, "a machine with " + std::to_string(vcpus) + " vCPUs");
    SKEP_TRY(check_ram(manifest));
    SKEP_TRY(check_devices(manifest));
    return check_disks(manifest);
}

Status check_vcpu(const v1::VcpuState& state) {
    SKEP_TRY(check_complete(state, "", 0));
    const v1::LocalApic& apic = state.apic();
    if (apic.isr_size() != kApicVectorWords || apic.tmr_size() != kApicVectorWords ||
        apic.irr_size() != kApicVectorWords)
        return fail(ErrorCode::Missing, "apic.isr, apic.tmr or apic.irr are not 8 words each");
    if (state.xsave().size() < kXsaveMinimum)
        return fail(ErrorCode::Missing,
                    "xsave has only " + std::to_string(state.xsave().size()) + " bytes");
    return {};
}

Coverage ram_coverage(const v1::Manifest& manifest) {
    Coverage coverage("RAM");
    for (const v1::RamRegion& region : manifest.ram())
        coverage.expect(region.gpa(), region.size());
    return coverage;
}

std::vector<Coverage> disk_coverage(const v1::Manifest& manifest) {
    std::vector<Coverage> disks;
    for (const v1::DiskEntry& disk : manifest.disks()) {
        disks.emplace_back("disk " + disk.name());
        if (disk.has_copy())
            disks.back().expect(0, round_up_to_page(disk.size_bytes()));
    }
    return disks;
}

std::uint64_t copied_disk_bytes(const v1::Manifest& manifest) {
    std::uint64_t total = 0;
    for (const v1::DiskEntry& disk : manifest.disks()) {
        if (disk.has_copy())
            total += round_up_to_page(disk.size_bytes());
    }
    return total;
}

std::string device_name(std::string_view kind, std::string_view instance) {
    return "device " + std::string(kind) + "/" + std::string(instance);
}

}  // namespace skep::snapshot
