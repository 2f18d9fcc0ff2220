#include <snapshot/judge.hpp>

#include <snapshot/rules.hpp>

#include <algorithm>
#include <cstring>

namespace skep::snapshot {
namespace {

constexpr std::uint64_t kMaxKeptBytes = 256u << 20;

Status parse(const Record& record, google::protobuf::Message& message) {
    // Lengths are far below 2 GiB (KnownKind::max_length).
    if (!message.ParseFromArray(record.payload.data(), static_cast<int>(record.payload.size())))
        return fail(ErrorCode::Malformed, "the payload is not a valid " + message.GetTypeName());
    return {};
}

}  // namespace

Status Judge::keep(std::uint64_t bytes) {
    kept_bytes_ += bytes;
    if (kept_bytes_ > kMaxKeptBytes)
        return fail(ErrorCode::TooLarge,
                    "more than " + std::to_string(kMaxKeptBytes) + " bytes of state beside pages");
    return {};
}

Status Judge::take(const Record& record, const Digest::Value& digest) {
    const Frame& frame = record.frame;
    contents_.summary.bytes_by_kind[frame.kind] += Frame::kSize + frame.length;
    ++contents_.summary.records;

    const KnownKind* known = find_kind(frame.kind);
    const bool is_first = frame.sequence == 0;
    if (is_first != (frame.kind == kind::kManifest))
        return is_first ? fail(ErrorCode::Missing, "the manifest is not the first record")
                        : fail(ErrorCode::Duplicate, "manifest");
    if (known == nullptr) {
        if (frame.required())
            return fail(ErrorCode::Unknown, "required record kind \"" + frame.kind + "\"");
        return take_unknown(record);
    }
    if (frame.required() != known->required)
        return fail(ErrorCode::Malformed, known->required ? "the record must be marked as required"
                                                          : "the record must not be required");
    if (frame.version > known->version) {
        if (frame.required())
            return fail(ErrorCode::Newer, "version " + std::to_string(frame.version) +
                                              " of this record, known up to " +
                                              std::to_string(known->version));
        return take_unknown(record);
    }
    if (frame.version == 0)
        return fail(ErrorCode::Malformed, "version 0");

    if (frame.kind == kind::kIndex)
        return take_index(record);
    if (frame.kind == kind::kTrailer)
        return take_trailer(record, digest);
    if (in_index_)
        return fail(ErrorCode::Malformed, "state after the index");
    IndexItem item{.kind = frame.kind, .offset = record.offset, .start = 0, .pages = 0, .disk = 0};
    SKEP_TRY(keep(sizeof(IndexItem)));
    SKEP_TRY(take_state(record, item));
    items_.push_back(std::move(item));
    return {};
}

Status Judge::take_state(const Record& record, IndexItem& item) {
    const std::string& kind = record.frame.kind;
    if (kind == kind::kRam || kind == kind::kDisk)
        return take_pages(record, item);
    if (kind == kind::kVcpu)
        return take_vcpu(record, item);
    if (kind == kind::kDevice)
        return take_device(record);
    if (kind == kind::kManifest)
        return take_manifest(record);
    if (kind == kind::kClock)
        return take_clock(record);
    if (kind == kind::kSchema)
        return take_schema(record);
    return fail(ErrorCode::Unknown, "record kind \"" + kind + "\"");
}

Status Judge::take_unknown(const Record& record) {
    if (in_index_)
        return fail(ErrorCode::Malformed, "state after the index");
    SKEP_TRY(keep(record.payload.size() + sizeof(UnknownRecord) + sizeof(IndexItem)));
    contents_.unknown.push_back({.kind = record.frame.kind,
                                 .version = record.frame.version,
                                 .offset = record.offset,
                                 .payload = {record.payload.begin(), record.payload.end()}});
    items_.push_back(
        {.kind = record.frame.kind, .offset = record.offset, .start = 0, .pages = 0, .disk = 0});
    return {};
}

Status Judge::take_manifest(const Record& record) {
    v1::Manifest& manifest = contents_.manifest;
    SKEP_TRY(parse(record, manifest));
    SKEP_TRY(check_manifest(manifest));
    ram_ = ram_coverage(manifest);
    disks_ = disk_coverage(manifest);
    device_seen_.assign(manifest.devices_size(), false);
    return keep(record.payload.size());
}

Status Judge::take_clock(const Record& record) {
    if (contents_.clock)
        return fail(ErrorCode::Duplicate, "clock");
    SKEP_TRY(parse(record, contents_.clock.emplace()));
    return keep(record.payload.size());
}

Status Judge::take_vcpu(const Record& record, IndexItem& item) {
    v1::VcpuState state;
    SKEP_TRY(parse(record, state));
    const std::string name = "vcpu " + std::to_string(state.index());
    if (auto checked = check_vcpu(state); !checked)
        return fail(checked.error().code, name + ": " + checked.error().message);
    if (state.index() < contents_.vcpus.size())
        return fail(ErrorCode::Duplicate, name);
    if (state.index() >= contents_.manifest.machine().vcpus())
        return fail(ErrorCode::LeftOver, name + " of a machine with " +
                                             std::to_string(contents_.manifest.machine().vcpus()) +
                                             " vCPUs");
    if (state.index() != contents_.vcpus.size())
        return fail(ErrorCode::Missing,
                    "vcpu " + std::to_string(contents_.vcpus.size()) + " before " + name);
    item.start = state.index();
    contents_.vcpus.push_back(std::move(state));
    return keep(record.payload.size());
}

Status Judge::take_device(const Record& record) {
    v1::DeviceState state;
    SKEP_TRY(parse(record, state));
    const std::string name = device_name(state.kind(), state.instance());
    const v1::Manifest& manifest = contents_.manifest;
    const auto entry = std::ranges::find_if(manifest.devices(), [&](const v1::DeviceEntry& device) {
        return device.kind() == state.kind() && device.instance() == state.instance();
    });
    if (entry == manifest.devices().end())
        return fail(ErrorCode::LeftOver, name + " is not in the manifest");
    if (entry->version() != state.version())
        return fail(ErrorCode::Malformed, name + " has version " + std::to_string(state.version()) +
                                              ", in the manifest " +
                                              std::to_string(entry->version()));
    std::vector<bool>::reference seen = device_seen_[entry - manifest.devices().begin()];
    if (seen)
        return fail(ErrorCode::Duplicate, name);
    seen = true;
    if (!state.has_state())
        return fail(ErrorCode::Missing, name + " has no state in its record");
    contents_.devices.push_back(std::move(state));
    return keep(record.payload.size());
}

Status Judge::take_schema(const Record& record) {
    if (contents_.schema)
        return fail(ErrorCode::Duplicate, "schema");
    SKEP_TRY(parse(record, contents_.schema.emplace()));
    return keep(record.payload.size());
}

Status Judge::take_pages(const Record& record, IndexItem& item) {
    const bool is_ram = record.frame.kind == kind::kRam;
    SKEP_TRY(parse(record, batch_));
    SKEP_TRY(check_batch(batch_));
    if (is_ram ? batch_.disk() != 0 : batch_.disk() >= disks_.size())
        return fail(ErrorCode::Malformed, "disk " + std::to_string(batch_.disk()));
    const std::uint64_t bytes = batch_.pages() * kPageSize;
    SKEP_TRY((is_ram ? *ram_ : disks_[batch_.disk()]).take(batch_.start(), bytes));

    std::uint64_t zero_bytes = bytes;
    if (batch_.encoding() != v1::PageBatch::ENCODING_ZERO) {
        zero_bytes -= present_pages(batch_) * kPageSize;
        if (depth_ == Depth::Full) {
            const auto content = SKEP_TRY(decoder_.decode(batch_));
            if (!is_ram)
                SKEP_TRY(check_padding(batch_, content));
        }
        SKEP_TRY(keep(sizeof(BatchPlace)));
        (is_ram ? contents_.ram : contents_.disks)
            .push_back({.offset = record.offset, .disk = batch_.disk(), .pages = batch_.pages()});
    }
    Summary& summary = contents_.summary;
    (is_ram ? summary.ram_bytes : summary.disk_bytes) += bytes;
    (is_ram ? summary.ram_zero_bytes : summary.disk_zero_bytes) += zero_bytes;
    item.start = batch_.start();
    item.pages = batch_.pages();
    item.disk = batch_.disk();
    return {};
}

// The last page of a disk is zero from the disk's end on.
Status Judge::check_padding(const v1::PageBatch& batch, std::span<const std::byte> content) const {
    const v1::DiskEntry& disk = contents_.manifest.disks(static_cast<int>(batch.disk()));
    const std::uint64_t end = batch.start() + batch.pages() * kPageSize;
    if (end <= disk.size_bytes() || !is_present(batch, batch.pages() - 1))
        return {};
    if (!is_zero(content.last(static_cast<std::size_t>(end - disk.size_bytes()))))
        return fail(ErrorCode::Malformed, "disk " + disk.name() + " has content after its end");
    return {};
}

Status Judge::check_complete() const {
    const v1::Manifest& manifest = contents_.manifest;
    if (contents_.vcpus.size() != manifest.machine().vcpus())
        return fail(ErrorCode::Missing, "vcpu " + std::to_string(contents_.vcpus.size()));
    if (!contents_.clock)
        return fail(ErrorCode::Missing, "clock");
    for (int i = 0; i < manifest.devices_size(); ++i) {
        if (!device_seen_[i])
            return fail(ErrorCode::Missing,
                        device_name(manifest.devices(i).kind(), manifest.devices(i).instance()));
    }
    SKEP_TRY(ram_->complete());
    for (const Coverage& disk : disks_)
        SKEP_TRY(disk.complete());
    return {};
}

Status Judge::take_index(const Record& record) {
    if (!in_index_) {
        in_index_ = true;
        index_offset_ = record.offset;
        SKEP_TRY(check_complete());
    }
    v1::Index index;
    SKEP_TRY(parse(record, index));
    for (const v1::IndexEntry& entry : index.entries()) {
        if (indexed_ == items_.size())
            return fail(ErrorCode::LeftOver, "index entry for a record that is not there");
        const IndexItem& item = items_[indexed_];
        if (entry.kind() != item.kind || entry.offset() != item.offset ||
            entry.start() != item.start || entry.pages() != item.pages || entry.disk() != item.disk)
            return fail(ErrorCode::Malformed, "index entry of record " + std::to_string(indexed_) +
                                                  " (" + item.kind + ") at offset " +
                                                  std::to_string(item.offset) + " does not fit it");
        ++indexed_;
    }
    return {};
}

Status Judge::take_trailer(const Record& record, const Digest::Value& digest) {
    if (!in_index_ || indexed_ != items_.size())
        return fail(ErrorCode::Missing, "index entry of record " + std::to_string(indexed_));
    v1::Trailer trailer;
    SKEP_TRY(parse(record, trailer));
    const auto stated = std::as_bytes(std::span(trailer.digest()));
    if (!std::ranges::equal(stated, digest))
        return fail(ErrorCode::Damaged, "digest of the file");
    Summary& summary = contents_.summary;
    if (trailer.records() != record.frame.sequence || trailer.index_offset() != index_offset_ ||
        trailer.ram_bytes() != summary.ram_bytes ||
        trailer.zero_bytes() != summary.ram_zero_bytes + summary.disk_zero_bytes)
        return fail(ErrorCode::Malformed, "the trailer's sums do not fit the file");
    summary.digest = digest;
    done_ = true;
    return {};
}

Result<Contents> judge_all(Source& source, Depth depth, const ProgressCallback& progress,
                           std::uint64_t total) {
    RecordStream stream(source);
    Judge judge(depth);
    SKEP_TRY(stream.read_header());
    std::uint64_t last_offset = 0;
    while (!judge.done()) {
        const Record record = SKEP_TRY(stream.next());
        last_offset = record.offset;
        const bool is_trailer = record.frame.kind == kind::kTrailer;
        SKEP_TRY(at(record.location(),
                    judge.take(record, is_trailer ? stream.digest() : Digest::Value{})));
        if (progress && !progress(stream.offset(), total))
            return fail(ErrorCode::Cancelled, "while the snapshot was read");
    }
    SKEP_TRY(stream.read_footer(last_offset));
    judge.contents().summary.file_bytes = stream.offset();
    return std::move(judge.contents());
}

}  // namespace skep::snapshot
