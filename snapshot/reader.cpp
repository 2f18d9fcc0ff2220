#include <snapshot/reader.hpp>

#include <snapshot/judge.hpp>
#include <snapshot/rules.hpp>

#include <algorithm>
#include <utility>

namespace skep::snapshot {

class Snapshot::State {
  public:
    State(const File& file, Contents contents) : file_(file), contents_(std::move(contents)) {}

    const Contents& contents() const { return contents_; }

    // Calls `use(batch, decoder)` for those of `places` that are of `disk`.
    template <typename Use>
    Status for_each_batch(const std::vector<BatchPlace>& places, std::string_view kind,
                          std::uint32_t disk, const ProgressCallback& progress, Use use) const;

  private:
    const File& file_;
    Contents contents_;
};

template <typename Use>
Status Snapshot::State::for_each_batch(const std::vector<BatchPlace>& places, std::string_view kind,
                                       std::uint32_t disk, const ProgressCallback& progress,
                                       Use use) const {
    std::uint64_t total = 0, done = 0;
    for (const BatchPlace& place : places)
        total += place.disk == disk ? place.pages * kPageSize : 0;

    BatchDecoder decoder;
    v1::PageBatch batch;
    std::vector<std::byte> payload;
    for (const BatchPlace& place : places) {
        if (place.disk != disk)
            continue;
        const Record record = SKEP_TRY(read_record_at(file_, place.offset, payload));
        // The judge saw this record; all of it is checked again because the file may have changed.
        if (record.frame.kind != kind ||
            !batch.ParseFromArray(payload.data(), static_cast<int>(payload.size())) ||
            !check_batch(batch) || batch.encoding() == v1::PageBatch::ENCODING_ZERO ||
            batch.disk() != disk || batch.pages() != place.pages)
            return at(record.location(),
                      Status(fail(ErrorCode::Damaged, "the file changed while it was read")));
        SKEP_TRY(at(record.location(), Status(use(batch, decoder))));
        done += place.pages * kPageSize;
        if (progress && !progress(done, total))
            return fail(ErrorCode::Cancelled, "while pages were loaded");
    }
    return {};
}

Result<Summary> judge(Source& source, const JudgeOptions& options) {
    Contents contents = SKEP_TRY(judge_all(source, options.depth, options.progress, 0));
    return std::move(contents.summary);
}

Snapshot::Snapshot(std::unique_ptr<State> state) : state_(std::move(state)) {}
Snapshot::Snapshot(Snapshot&&) noexcept = default;
Snapshot& Snapshot::operator=(Snapshot&&) noexcept = default;
Snapshot::~Snapshot() = default;

Result<Snapshot> Snapshot::open(const File& file, const JudgeOptions& options) {
    FileSource source(file);
    const std::uint64_t size = SKEP_TRY(file.size());
    Contents contents = SKEP_TRY(judge_all(source, options.depth, options.progress, size));
    return Snapshot(std::make_unique<State>(file, std::move(contents)));
}

const v1::Manifest& Snapshot::manifest() const {
    return state_->contents().manifest;
}
const v1::Clock& Snapshot::clock() const {
    return *state_->contents().clock;
}
std::span<const v1::VcpuState> Snapshot::vcpus() const {
    return state_->contents().vcpus;
}
std::span<const v1::DeviceState> Snapshot::devices() const {
    return state_->contents().devices;
}
const v1::Schema* Snapshot::schema() const {
    const auto& schema = state_->contents().schema;
    return schema ? &*schema : nullptr;
}
std::span<const UnknownRecord> Snapshot::unknown_records() const {
    return state_->contents().unknown;
}
const Summary& Snapshot::summary() const {
    return state_->contents().summary;
}

Status Snapshot::load_ram(const RamMapper& mapper, const ProgressCallback& progress) const {
    Coverage coverage = ram_coverage(manifest());
    return state_->for_each_batch(
        state_->contents().ram, kind::kRam, 0, progress,
        [&](const v1::PageBatch& batch, BatchDecoder& decoder) -> Status {
            const std::uint64_t size = batch.pages() * kPageSize;
            SKEP_TRY(coverage.take(batch.start(), size));
            const std::span<std::byte> memory = SKEP_TRY(mapper(batch.start(), size));
            if (memory.size() < size)
                return fail(ErrorCode::Misuse,
                            "too little memory for RAM at " + std::to_string(batch.start()));
            return decoder.decode_into(batch, memory);
        });
}

Status Snapshot::load_disk(std::uint32_t disk, const RunWriter& write,
                           const ProgressCallback& progress) const {
    if (disk >= static_cast<std::uint32_t>(manifest().disks_size()))
        return fail(ErrorCode::Misuse, "disk " + std::to_string(disk));
    const std::uint64_t disk_size = manifest().disks(static_cast<int>(disk)).size_bytes();
    Coverage coverage = std::move(disk_coverage(manifest())[disk]);
    return state_->for_each_batch(
        state_->contents().disks, kind::kDisk, disk, progress,
        [&](const v1::PageBatch& batch, BatchDecoder& decoder) -> Status {
            SKEP_TRY(coverage.take(batch.start(), batch.pages() * kPageSize));
            std::span<const std::byte> content = SKEP_TRY(decoder.decode(batch));
            for (std::uint32_t page = 0; page < batch.pages();) {
                std::uint32_t end = page;
                while (end < batch.pages() && is_present(batch, end))
                    ++end;
                const std::uint64_t offset = batch.start() + page * kPageSize;
                const std::size_t size = (end - page) * kPageSize;
                if (size > 0)
                    SKEP_TRY(write(
                        offset, content.first(std::min<std::uint64_t>(size, disk_size - offset))));
                content = content.subspan(size);
                page = end + 1;
            }
            return {};
        });
}

}  // namespace skep::snapshot
