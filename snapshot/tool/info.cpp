#include <snapshot/reader.hpp>
#include <snapshot/tool/commands.hpp>
#include <snapshot/tool/definitions.hpp>
#include <snapshot/tool/file.hpp>
#include <snapshot/tool/text.hpp>

#include <fmt/format.h>

#include <iostream>

namespace skep::snapshot::tool {
namespace {

std::uint64_t stored(const Summary& summary, const char* kind) {
    const auto found = summary.bytes_by_kind.find(kind);
    return found == summary.bytes_by_kind.end() ? 0 : found->second;
}

void line(std::string_view label, std::string_view value) {
    std::cout << fmt::format("{:<10}{}\n", label, value);
}

std::string disk_text(const v1::DiskEntry& disk) {
    const std::string size = size_text(disk.size_bytes());
    if (disk.has_copy())
        return fmt::format("{} ({}, copied)", disk.name(), size);
    return fmt::format("{} ({}, refers to image {})", disk.name(), size, disk.reference().image());
}

std::string pages_text(std::uint64_t bytes, std::uint64_t zero_bytes, std::uint64_t stored_bytes) {
    return fmt::format("{}, of which {} are zero; the rest takes {} ({})", size_text(bytes),
                       size_text(zero_bytes), size_text(stored_bytes),
                       ratio_text(bytes - zero_bytes, stored_bytes));
}

void print_text(const std::string& path, const Snapshot& snapshot) {
    const v1::Manifest& manifest = snapshot.manifest();
    const Summary& summary = snapshot.summary();
    line("file",
         fmt::format("{}, {}, {} records", path, size_text(summary.file_bytes), summary.records));
    line("guest",
         fmt::format("{}: {} vCPUs, {} of RAM", manifest.vm().empty() ? "(unnamed)" : manifest.vm(),
                     manifest.machine().vcpus(), size_text(manifest.machine().memory_bytes())));
    line("saved", fmt::format("{} by {}", time_text(snapshot.clock().wall_clock_unix_ns()),
                              manifest.creator()));
    line("ran for",
         fmt::format("{:.3f} s", static_cast<double>(snapshot.clock().guest_time_ns()) / 1e9));
    line("RAM", pages_text(summary.ram_bytes, summary.ram_zero_bytes, stored(summary, "ram")));
    if (summary.disk_bytes != 0)
        line("disks",
             pages_text(summary.disk_bytes, summary.disk_zero_bytes, stored(summary, "disk")));
    for (const v1::DiskEntry& disk : manifest.disks())
        line("disk", disk_text(disk));
    for (const v1::DeviceEntry& device : manifest.devices())
        line("device",
             fmt::format("{}/{} version {}", device.kind(), device.instance(), device.version()));
    for (const UnknownRecord& record : snapshot.unknown_records())
        line("unknown", fmt::format("optional record \"{}\" version {}, {}", record.kind,
                                    record.version, size_text(record.payload.size())));
    line("digest", "xxh3-128:" + hex_text(summary.digest));
}

void print_state(const Snapshot& snapshot, const Definitions& definitions) {
    for (const v1::VcpuState& vcpu : snapshot.vcpus())
        std::cout << "vcpu " << vcpu.index() << '\n' << definitions.text(vcpu, 1);
    for (const v1::DeviceState& device : snapshot.devices())
        std::cout << "device " << device.kind() << '/' << device.instance() << '\n'
                  << definitions.text(device, 1);
}

// All keys but the messages' own are names that need no escape.
class JsonObject {
  public:
    void add(std::string_view key, const std::string& value) {
        text_ += fmt::format("{}\n  \"{}\": {}", text_.empty() ? "" : ",", key, value);
    }
    void add(std::string_view key, std::uint64_t value) { add(key, fmt::format("{}", value)); }
    std::string text() const { return "{" + text_ + "\n}"; }

  private:
    std::string text_;
};

template <typename Messages>
Result<std::string> json_list(const Messages& messages, const Definitions& definitions) {
    std::string text;
    for (const auto& message : messages)
        text += (text.empty() ? "\n    " : ",\n    ") + SKEP_TRY(definitions.json(message));
    return "[" + text + "]";
}

Status print_json(const Snapshot& snapshot, const Definitions& definitions, bool state) {
    const Summary& summary = snapshot.summary();
    std::string by_kind;
    for (const auto& [kind, bytes] : summary.bytes_by_kind)
        by_kind += fmt::format("{}\"{}\": {}", by_kind.empty() ? "" : ", ", kind, bytes);
    JsonObject object;
    object.add("digest", fmt::format("\"xxh3-128:{}\"", hex_text(summary.digest)));
    object.add("file_bytes", summary.file_bytes);
    object.add("records", summary.records);
    object.add("bytes_by_kind", "{" + by_kind + "}");
    object.add("ram_bytes", summary.ram_bytes);
    object.add("ram_zero_bytes", summary.ram_zero_bytes);
    object.add("disk_bytes", summary.disk_bytes);
    object.add("disk_zero_bytes", summary.disk_zero_bytes);
    object.add("manifest", SKEP_TRY(definitions.json(snapshot.manifest())));
    object.add("clock", SKEP_TRY(definitions.json(snapshot.clock())));
    if (state) {
        object.add("vcpus", SKEP_TRY(json_list(snapshot.vcpus(), definitions)));
        object.add("devices", SKEP_TRY(json_list(snapshot.devices(), definitions)));
    }
    std::cout << object.text() << '\n';
    return {};
}

}  // namespace

Status run_info(const InfoOptions& options) {
    const OpenFile file = SKEP_TRY(OpenFile::open(options.file));
    const FdFile reader(file.fd());
    const Snapshot snapshot = SKEP_TRY(Snapshot::open(reader, {.depth = Depth::Checksums}));
    const Definitions definitions = SKEP_TRY(Definitions::create(snapshot.schema()));
    if (options.output == "json")
        return print_json(snapshot, definitions, options.state);
    print_text(options.file, snapshot);
    if (options.state)
        print_state(snapshot, definitions);
    return {};
}

}  // namespace skep::snapshot::tool
