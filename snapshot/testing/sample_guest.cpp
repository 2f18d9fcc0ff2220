#include <snapshot/testing/sample_guest.hpp>

#include <snapshot/apic_page.hpp>
#include <snapshot/claims.hpp>
#include <snapshot/coverage.hpp>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>

namespace skep::snapshot::testing {
namespace {

constexpr std::uint64_t kRegionSize = 1u << 20;
constexpr std::uint64_t kHighRam = std::uint64_t{4} << 30;
constexpr std::uint64_t kDiskSize = (200u << 10) + 512;
constexpr const char* kInstances[] = {"one", "two", "three"};

// xorshift64*: content that does not compress, the same on every machine.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545'f491'4f6c'dd1d;
    }

  private:
    std::uint64_t state_;
};

// Of 32 pages one is random, eleven are repetitive, twenty are zero.
std::vector<std::byte> content(std::uint64_t size, std::uint64_t seed) {
    std::vector<std::byte> bytes(size);
    Random random(seed);
    for (std::uint64_t offset = 0; offset < size; offset += kPageSize) {
        const std::uint64_t page = offset / kPageSize;
        for (std::uint64_t i = offset; i < std::min(offset + kPageSize, size); ++i) {
            if (page % 32 == 0)
                bytes[i] = static_cast<std::byte>(random.next());
            else if (page % 8 < 3)
                bytes[i] = static_cast<std::byte>(page + i % 16);
        }
    }
    return bytes;
}

// Gives every scalar field below `message` a value of its own.
void fill(google::protobuf::Message& message, Random& random) {
    using google::protobuf::FieldDescriptor;
    const auto* reflection = message.GetReflection();
    for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
        const auto* field = message.GetDescriptor()->field(i);
        if (field->is_repeated())
            continue;
        if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
            fill(*reflection->MutableMessage(&message, field), random);
        else if (field->cpp_type() == FieldDescriptor::CPPTYPE_UINT64)
            reflection->SetUInt64(&message, field, random.next());
        else if (field->cpp_type() == FieldDescriptor::CPPTYPE_UINT32)
            reflection->SetUInt32(&message, field, static_cast<std::uint32_t>(random.next()));
        else if (field->cpp_type() == FieldDescriptor::CPPTYPE_BOOL)
            reflection->SetBool(&message, field, true);
    }
}

v1::VcpuState sample_vcpu(std::uint32_t index) {
    v1::VcpuState state;
    Random random(index + 1000);
    fill(state, random);
    state.set_index(index);
    for (std::uint32_t i = 0; i < 8; ++i) {
        auto& range = *state.mutable_mtrrs()->add_variable();
        range.set_base(i << 12);
        range.set_mask(i == 0 ? 0 : ~std::uint64_t{0});
        state.mutable_apic()->add_isr(i);
        state.mutable_apic()->add_tmr(i + 8);
        state.mutable_apic()->add_irr(i + 16);
    }
    state.set_xsave(std::string(832, static_cast<char>('a' + index)));
    return state;
}

template <typename T>
std::string differences(const T& a, const T& b) {
    std::string text;
    google::protobuf::util::MessageDifferencer differencer;
    differencer.ReportDifferencesToString(&text);
    return differencer.Compare(a, b) ? "" : text;
}

}  // namespace

v1::Clock SampleGuest::device_state(int i) {
    v1::Clock state;
    state.set_guest_time_ns(100 + static_cast<std::uint64_t>(i));
    return state;
}

SampleGuest sample_guest() {
    SampleGuest guest;
    v1::Manifest& manifest = guest.manifest;
    manifest.set_creator("skep test");
    manifest.set_create_time_unix_ns(1'700'000'000'000'000'000);
    manifest.set_vm("sample");
    auto& machine = *manifest.mutable_machine();
    machine.set_vcpus(2);
    machine.set_memory_bytes(2 * kRegionSize);
    machine.mutable_boot()->set_kernel("vmlinuz");
    machine.mutable_boot()->set_command_line("console=ttyS0");
    for (const std::uint64_t gpa : {std::uint64_t{0}, kHighRam}) {
        auto& region = *manifest.add_ram();
        region.set_gpa(gpa);
        region.set_size(kRegionSize);
    }
    for (const char* instance : kInstances) {
        auto& device = *manifest.add_devices();
        device.set_kind("sample");
        device.set_instance(instance);
        device.set_version(1);
    }
    for (const char* name : {"data", "base"}) {
        auto& disk = *machine.add_disks();
        disk.set_name(name);
        disk.set_size_bytes(kDiskSize);
        auto& entry = *manifest.add_disks();
        entry.set_name(name);
        entry.set_size_bytes(kDiskSize);
    }
    manifest.mutable_disks(0)->mutable_copy();
    manifest.mutable_disks(1)->mutable_reference()->set_image("debian");
    auto& leaf = *manifest.mutable_cpu()->add_cpuid();
    leaf.set_leaf(0);
    leaf.set_ebx(0x756e6547);
    manifest.mutable_cpu()->set_tsc_frequency_hz(2'000'000'000);

    guest.clock.set_wall_clock_unix_ns(1'700'000'000'123'456'789);
    guest.clock.set_guest_time_ns(42);
    guest.vcpus = {sample_vcpu(0), sample_vcpu(1)};
    guest.low_ram = content(kRegionSize, 1);
    guest.high_ram = content(kRegionSize, 2);
    // Whole batches of zeros, and zeros on both sides of the gap between the regions.
    std::fill(guest.low_ram.begin() + kRegionSize / 2, guest.low_ram.end(), std::byte{0});
    std::fill_n(guest.high_ram.begin(), kRegionSize / 4, std::byte{0});
    guest.disk = content(kDiskSize, 3);
    std::memset(guest.disk.data() + kDiskSize - 512, 'e', 512);
    return guest;
}

Status write(const SampleGuest& guest, Sink& sink, WriterOptions options) {
    Writer writer = SKEP_TRY(Writer::begin(sink, guest.manifest, std::move(options)));
    SKEP_TRY(writer.clock(guest.clock));
    for (const v1::VcpuState& vcpu : guest.vcpus)
        SKEP_TRY(writer.vcpu(vcpu));
    for (int i = 0; i < guest.manifest.devices_size(); ++i)
        SKEP_TRY(writer.device("sample", kInstances[i], SampleGuest::device_state(i)));
    SKEP_TRY(writer.ram(guest.manifest.ram(0).gpa(), guest.low_ram));
    SKEP_TRY(writer.ram(guest.manifest.ram(1).gpa(), guest.high_ram));
    SKEP_TRY(writer.disk(0, 0, guest.disk));
    SKEP_TRY(writer.finish());
    return {};
}

std::vector<std::byte> write(const SampleGuest& guest, WriterOptions options) {
    MemorySink sink;
    if (Status status = write(guest, sink, std::move(options)); !status) {
        std::cerr << status.error().describe() << '\n';
        std::abort();
    }
    return sink.take();
}

std::string compare(const Snapshot& snapshot, const SampleGuest& guest) {
    v1::Manifest manifest = snapshot.manifest();
    manifest.clear_required_features();
    std::string text = differences(manifest, guest.manifest);
    text += differences(snapshot.clock(), guest.clock);
    for (std::size_t i = 0; i < guest.vcpus.size(); ++i)
        text += differences(snapshot.vcpus()[i], guest.vcpus[i]);

    Claims claims(snapshot.devices());
    for (int i = 0; i < manifest.devices_size(); ++i) {
        const auto state = claims.claim_as<v1::Clock>("sample", kInstances[i], 1);
        text += state ? differences(*state, SampleGuest::device_state(i)) : state.error().message;
    }
    if (Status left = claims.finish(); !left)
        text += left.error().message;

    std::map<std::uint64_t, std::vector<std::byte>> regions;
    for (const auto& region : manifest.ram())
        regions[region.gpa()].resize(region.size());
    const Status ram =
        snapshot.load_ram([&](std::uint64_t gpa, std::uint64_t) -> Result<std::span<std::byte>> {
            auto region = std::prev(regions.upper_bound(gpa));
            return std::span(region->second).subspan(gpa - region->first);
        });
    if (!ram)
        text += ram.error().describe();
    if (regions[manifest.ram(0).gpa()] != guest.low_ram ||
        regions[manifest.ram(1).gpa()] != guest.high_ram)
        text += "RAM differs; ";

    std::vector<std::byte> disk(guest.disk.size());
    const Status loaded =
        snapshot.load_disk(0, [&](std::uint64_t offset, std::span<const std::byte> data) -> Status {
            if (offset > disk.size() || data.size() > disk.size() - offset)
                return fail(ErrorCode::Misuse, "beyond the disk");
            std::ranges::copy(data, disk.begin() + static_cast<std::ptrdiff_t>(offset));
            return {};
        });
    if (!loaded)
        text += loaded.error().describe();
    if (disk != guest.disk)
        text += "disk differs; ";
    return text;
}

}  // namespace skep::snapshot::testing
