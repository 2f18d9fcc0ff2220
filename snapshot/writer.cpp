#include <snapshot/writer.hpp>

#include <snapshot/batch_pool.hpp>
#include <snapshot/crc32c.hpp>
#include <snapshot/digest.hpp>
#include <snapshot/frame.hpp>
#include <snapshot/page_batch.hpp>
#include <snapshot/rules.hpp>
#include <snapshot/schema.hpp>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

namespace skep::snapshot {
namespace {

// Keeps an index record well below the limit of its kind.
constexpr int kIndexEntriesPerRecord = 8192;

}  // namespace

class Writer::State {
  public:
    State(Sink& sink, v1::Manifest manifest, WriterOptions options)
        : sink_(sink),
          manifest_(std::move(manifest)),
          options_(std::move(options)),
          encoders_(options_.compression_level, options_.threads),
          ram_(ram_coverage(manifest_)),
          disks_(disk_coverage(manifest_)),
          device_done_(manifest_.devices_size(), false),
          total_bytes_(manifest_.machine().memory_bytes() + copied_disk_bytes(manifest_)) {}

    Status begin();
    Status clock(const v1::Clock& clock);
    Status vcpu(const v1::VcpuState& state);
    Status device(std::string_view kind, std::string_view instance,
                  const google::protobuf::Message& state);
    Status ram(std::uint64_t gpa, std::span<const std::byte> pages);
    Status ram_zero(std::uint64_t gpa, std::uint64_t size);
    Status disk(std::uint32_t disk, std::uint64_t offset, std::span<const std::byte> data);
    Status disk_zero(std::uint32_t disk, std::uint64_t offset, std::uint64_t size);
    Result<Summary> finish();

  private:
    // Zero pages that wait for more of them to follow.
    struct ZeroRun {
        std::string_view kind;
        std::uint32_t disk;
        std::uint64_t start, size;
    };

    Status put(std::span<const std::byte> data);
    Status emit(v1::IndexEntry entry, std::string_view payload,
                std::span<const std::byte> data = {});
    Status emit(std::string_view kind, const google::protobuf::Message& message);
    Status pages(std::string_view kind, std::uint32_t disk, std::uint64_t start,
                 std::span<const std::byte> pages);
    Status batch(std::string_view kind, std::uint32_t disk, std::uint64_t start, std::uint64_t size,
                 const EncodedBatch& encoded);
    Status zero(std::string_view kind, std::uint32_t disk, std::uint64_t start, std::uint64_t size);
    Status flush_zero();
    Status check_disk(std::uint32_t disk, std::uint64_t offset, std::uint64_t size) const;
    Status advance(std::string_view kind, std::uint64_t bytes, std::uint64_t zero_bytes);
    Status check_complete() const;
    Status write_index();

    Sink& sink_;
    v1::Manifest manifest_;
    WriterOptions options_;
    BatchPool encoders_;
    Coverage ram_;
    std::vector<Coverage> disks_;
    std::vector<bool> device_done_;
    bool clock_done_ = false;
    std::uint32_t vcpus_done_ = 0;
    std::optional<ZeroRun> zero_run_;
    SchemaCollector schema_;
    std::vector<v1::IndexEntry> index_;
    Digest digest_;
    Summary summary_;
    std::uint64_t done_bytes_ = 0, total_bytes_;
    bool finished_ = false;
};

Status Writer::State::put(std::span<const std::byte> data) {
    digest_.update(data);
    summary_.file_bytes += data.size();
    return sink_.write(data);
}

// The payload is `payload` followed by `data`.
Status Writer::State::emit(v1::IndexEntry entry, std::string_view payload,
                           std::span<const std::byte> data) {
    const KnownKind& known = *find_kind(entry.kind());
    const auto head = std::as_bytes(std::span(payload));
    const std::uint64_t length = head.size() + data.size();
    if (length > known.max_length)
        return fail(ErrorCode::TooLarge,
                    entry.kind() + " record of " + std::to_string(length) + " bytes");
    const Frame frame{.kind = entry.kind(),
                      .sequence = static_cast<std::uint32_t>(summary_.records),
                      .version = known.version,
                      .flags = known.required ? Frame::kFlagRequired : std::uint16_t{0},
                      .length = static_cast<std::uint32_t>(length),
                      .payload_crc = crc32c(data, crc32c(head))};
    // One write for the frame and what is small.
    const auto frame_bytes = frame.encode();
    std::vector<std::byte> first(frame_bytes.begin(), frame_bytes.end());
    first.insert(first.end(), head.begin(), head.end());

    entry.set_offset(summary_.file_bytes);
    summary_.bytes_by_kind[entry.kind()] += first.size() + data.size();
    ++summary_.records;
    SKEP_TRY(put(first));
    if (!data.empty())
        SKEP_TRY(put(data));
    if (entry.kind() != kind::kIndex && entry.kind() != kind::kTrailer)
        index_.push_back(std::move(entry));
    return {};
}

Status Writer::State::emit(std::string_view kind, const google::protobuf::Message& message) {
    v1::IndexEntry entry;
    entry.set_kind(std::string(kind));
    schema_.add(*message.GetDescriptor());
    return emit(std::move(entry), message.SerializeAsString());
}

Status Writer::State::begin() {
    SKEP_TRY(put(Header{}.encode()));
    return emit(kind::kManifest, manifest_);
}

Status Writer::State::clock(const v1::Clock& clock) {
    if (std::exchange(clock_done_, true))
        return fail(ErrorCode::Duplicate, "clock");
    return emit(kind::kClock, clock);
}

Status Writer::State::vcpu(const v1::VcpuState& state) {
    if (state.index() != vcpus_done_ || vcpus_done_ >= manifest_.machine().vcpus())
        return fail(ErrorCode::Misuse, "vcpu " + std::to_string(state.index()) + " where " +
                                           std::to_string(vcpus_done_) + " of " +
                                           std::to_string(manifest_.machine().vcpus()) +
                                           " were written");
    if (auto checked = check_vcpu(state); !checked)
        return fail(checked.error().code,
                    "vcpu " + std::to_string(state.index()) + ": " + checked.error().message);
    ++vcpus_done_;
    schema_.add(*state.GetDescriptor());
    v1::IndexEntry entry;
    entry.set_kind(std::string(kind::kVcpu));
    entry.set_start(state.index());
    return emit(std::move(entry), state.SerializeAsString());
}

Status Writer::State::device(std::string_view kind, std::string_view instance,
                             const google::protobuf::Message& state) {
    for (int i = 0; i < manifest_.devices_size(); ++i) {
        const v1::DeviceEntry& entry = manifest_.devices(i);
        if (entry.kind() != kind || entry.instance() != instance)
            continue;
        if (device_done_[i])
            return fail(ErrorCode::Duplicate, device_name(kind, instance));
        device_done_[i] = true;
        v1::DeviceState record;
        record.set_kind(entry.kind());
        record.set_instance(entry.instance());
        record.set_version(entry.version());
        record.mutable_state()->PackFrom(state);
        schema_.add(*state.GetDescriptor());
        return emit(kind::kDevice, record);
    }
    return fail(ErrorCode::LeftOver, device_name(kind, instance) + " is not in the manifest");
}

Status Writer::State::ram(std::uint64_t gpa, std::span<const std::byte> pages) {
    if (pages.size() % kPageSize != 0)
        return fail(ErrorCode::Misuse, "RAM of " + std::to_string(pages.size()) + " bytes");
    return this->pages(kind::kRam, 0, gpa, pages);
}

Status Writer::State::ram_zero(std::uint64_t gpa, std::uint64_t size) {
    SKEP_TRY(ram_.take(gpa, size));
    return zero(kind::kRam, 0, gpa, size);
}

Status Writer::State::check_disk(std::uint32_t disk, std::uint64_t offset,
                                 std::uint64_t size) const {
    if (disk >= disks_.size())
        return fail(ErrorCode::Misuse,
                    "disk " + std::to_string(disk) + " of " + std::to_string(disks_.size()));
    const std::uint64_t disk_size = manifest_.disks(static_cast<int>(disk)).size_bytes();
    if (offset > disk_size || size > disk_size - offset ||
        (size % kPageSize != 0 && offset + size != disk_size))
        return fail(ErrorCode::Misuse, "disk " + manifest_.disks(static_cast<int>(disk)).name() +
                                           ": " + std::to_string(size) + " bytes at " +
                                           std::to_string(offset));
    return {};
}

Status Writer::State::disk(std::uint32_t disk, std::uint64_t offset,
                           std::span<const std::byte> data) {
    SKEP_TRY(check_disk(disk, offset, data.size()));
    const std::size_t tail = data.size() % kPageSize;
    const auto whole = data.first(data.size() - tail);
    if (!whole.empty())
        SKEP_TRY(pages(kind::kDisk, disk, offset, whole));
    if (tail == 0)
        return {};
    std::array<std::byte, kPageSize> padded{};
    std::memcpy(padded.data(), data.data() + whole.size(), tail);
    return pages(kind::kDisk, disk, offset + whole.size(), padded);
}

Status Writer::State::disk_zero(std::uint32_t disk, std::uint64_t offset, std::uint64_t size) {
    SKEP_TRY(check_disk(disk, offset, size));
    size = (size + kPageSize - 1) / kPageSize * kPageSize;
    SKEP_TRY(disks_[disk].take(offset, size));
    return zero(kind::kDisk, disk, offset, size);
}

Status Writer::State::pages(std::string_view kind, std::uint32_t disk, std::uint64_t start,
                            std::span<const std::byte> pages) {
    Coverage& coverage = kind == kind::kRam ? ram_ : disks_[disk];
    SKEP_TRY(coverage.take(start, pages.size()));
    return encoders_.encode(
        start, disk, pages, options_.batch_pages * kPageSize,
        [&](std::uint64_t at, std::span<const std::byte> part, const EncodedBatch* encoded) {
            return encoded ? batch(kind, disk, at, part.size(), *encoded)
                           : zero(kind, disk, at, part.size());
        });
}

Status Writer::State::batch(std::string_view kind, std::uint32_t disk, std::uint64_t start,
                            std::uint64_t size, const EncodedBatch& encoded) {
    SKEP_TRY(flush_zero());
    v1::IndexEntry entry;
    entry.set_kind(std::string(kind));
    entry.set_start(start);
    entry.set_pages(static_cast<std::uint32_t>(size / kPageSize));
    entry.set_disk(disk);
    SKEP_TRY(emit(std::move(entry), encoded.head, encoded.data));
    return advance(kind, size, size - encoded.present_pages * kPageSize);
}

Status Writer::State::zero(std::string_view kind, std::uint32_t disk, std::uint64_t start,
                           std::uint64_t size) {
    if (size == 0)
        return {};
    if (zero_run_ && zero_run_->kind == kind && zero_run_->disk == disk &&
        zero_run_->start + zero_run_->size == start &&
        (kind != kind::kRam || std::ranges::none_of(manifest_.ram(), [&](const auto& region) {
             return region.gpa() == start;  // a batch stays within one region
         }))) {
        zero_run_->size += size;
    } else {
        SKEP_TRY(flush_zero());
        zero_run_ = ZeroRun{.kind = kind, .disk = disk, .start = start, .size = size};
    }
    return advance(kind, size, size);
}

Status Writer::State::flush_zero() {
    if (!zero_run_)
        return {};
    ZeroRun run = *std::exchange(zero_run_, std::nullopt);
    while (run.size > 0) {
        const std::uint64_t pages = std::min<std::uint64_t>(
            run.size / kPageSize, std::numeric_limits<std::uint32_t>::max());
        v1::IndexEntry entry;
        entry.set_kind(std::string(run.kind));
        entry.set_start(run.start);
        entry.set_pages(static_cast<std::uint32_t>(pages));
        entry.set_disk(run.disk);
        SKEP_TRY(emit(std::move(entry), BatchEncoder::encode_zero(run.start, run.disk,
                                                                  static_cast<std::uint32_t>(pages))
                                            .head));
        run.start += pages * kPageSize;
        run.size -= pages * kPageSize;
    }
    return {};
}

Status Writer::State::advance(std::string_view kind, std::uint64_t bytes,
                              std::uint64_t zero_bytes) {
    (kind == kind::kRam ? summary_.ram_bytes : summary_.disk_bytes) += bytes;
    (kind == kind::kRam ? summary_.ram_zero_bytes : summary_.disk_zero_bytes) += zero_bytes;
    done_bytes_ += bytes;
    if (options_.progress && !options_.progress(done_bytes_, total_bytes_))
        return fail(ErrorCode::Cancelled, "while pages were written");
    return {};
}

Status Writer::State::check_complete() const {
    if (vcpus_done_ != manifest_.machine().vcpus())
        return fail(ErrorCode::Missing, "vcpu " + std::to_string(vcpus_done_));
    if (!clock_done_)
        return fail(ErrorCode::Missing, "clock");
    for (int i = 0; i < manifest_.devices_size(); ++i) {
        if (!device_done_[i])
            return fail(ErrorCode::Missing,
                        device_name(manifest_.devices(i).kind(), manifest_.devices(i).instance()));
    }
    SKEP_TRY(ram_.complete());
    for (const Coverage& disk : disks_)
        SKEP_TRY(disk.complete());
    return {};
}

Status Writer::State::write_index() {
    const std::vector<v1::IndexEntry> entries = std::move(index_);
    index_.clear();
    v1::Index index;
    for (const v1::IndexEntry& entry : entries) {
        *index.add_entries() = entry;
        if (index.entries_size() == kIndexEntriesPerRecord || &entry == &entries.back()) {
            SKEP_TRY(emit(kind::kIndex, index));
            index.clear_entries();
        }
    }
    return {};
}

Result<Summary> Writer::State::finish() {
    if (std::exchange(finished_, true))
        return fail(ErrorCode::Misuse, "finish() was called before");
    SKEP_TRY(check_complete());
    SKEP_TRY(flush_zero());
    if (options_.include_schema) {
        schema_.add(*v1::Index::descriptor());
        SKEP_TRY(emit(kind::kSchema, schema_.schema()));
    }
    const std::uint64_t index_offset = summary_.file_bytes;
    SKEP_TRY(write_index());

    const std::uint64_t trailer_offset = summary_.file_bytes;
    summary_.digest = digest_.value();
    v1::Trailer trailer;
    trailer.set_digest(summary_.digest.data(), summary_.digest.size());
    trailer.set_records(summary_.records);
    trailer.set_index_offset(index_offset);
    trailer.set_ram_bytes(summary_.ram_bytes);
    trailer.set_zero_bytes(summary_.ram_zero_bytes + summary_.disk_zero_bytes);
    SKEP_TRY(emit(kind::kTrailer, trailer));
    SKEP_TRY(put(Footer{.trailer_offset = trailer_offset}.encode()));
    return summary_;
}

Writer::Writer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Writer::Writer(Writer&&) noexcept = default;
Writer& Writer::operator=(Writer&&) noexcept = default;
Writer::~Writer() = default;

Result<Writer> Writer::begin(Sink& sink, v1::Manifest manifest, WriterOptions options) {
    if (options.batch_pages == 0 || options.batch_pages > kMaxBatchPages)
        return fail(ErrorCode::Misuse,
                    "batches of " + std::to_string(options.batch_pages) + " pages");
    manifest.clear_required_features();
    if (options.compression_level != 0)
        manifest.add_required_features(std::string(kFeatureZstd));
    SKEP_TRY(check_manifest(manifest));
    auto state = std::make_unique<State>(sink, std::move(manifest), std::move(options));
    SKEP_TRY(state->begin());
    return Writer(std::move(state));
}

Status Writer::clock(const v1::Clock& clock) {
    return state_->clock(clock);
}
Status Writer::vcpu(const v1::VcpuState& state) {
    return state_->vcpu(state);
}
Status Writer::device(std::string_view kind, std::string_view instance,
                      const google::protobuf::Message& state) {
    return state_->device(kind, instance, state);
}
Status Writer::ram(std::uint64_t gpa, std::span<const std::byte> pages) {
    return state_->ram(gpa, pages);
}
Status Writer::ram_zero(std::uint64_t gpa, std::uint64_t size) {
    return state_->ram_zero(gpa, size);
}
Status Writer::disk(std::uint32_t disk, std::uint64_t offset, std::span<const std::byte> data) {
    return state_->disk(disk, offset, data);
}
Status Writer::disk_zero(std::uint32_t disk, std::uint64_t offset, std::uint64_t size) {
    return state_->disk_zero(disk, offset, size);
}
Result<Summary> Writer::finish() {
    return state_->finish();
}

}  // namespace skep::snapshot
