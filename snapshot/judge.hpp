// The rules for the records of a snapshot, applied one by one, and what they hold.
// docs/snapshot-format.md, "Rules for readers".
#pragma once

#include <snapshot/coverage.hpp>
#include <snapshot/page_batch.hpp>
#include <snapshot/reader.hpp>
#include <snapshot/record_stream.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace skep::snapshot {

// Where a "ram" or "disk" record is.
struct BatchPlace {
    std::uint64_t offset;  // of its frame
    std::uint32_t disk;
    std::uint32_t pages;
};

// All of a snapshot but its pages.
struct Contents {
    v1::Manifest manifest;
    std::optional<v1::Clock> clock;
    std::vector<v1::VcpuState> vcpus;
    std::vector<v1::DeviceState> devices;
    std::optional<v1::Schema> schema;
    std::vector<UnknownRecord> unknown;
    std::vector<BatchPlace> ram, disks;
    Summary summary;
};

class Judge {
  public:
    explicit Judge(Depth depth) : depth_(depth) {}

    // The next record. Errors have no place yet.
    Status take(const Record& record, const Digest::Value& digest);

    // Whether the trailer was taken: then no more records may come.
    bool done() const { return done_; }
    Contents& contents() { return contents_; }

  private:
    struct IndexItem {
        std::string kind;
        std::uint64_t offset, start;
        std::uint32_t pages, disk;
    };

    Status take_unknown(const Record& record);
    Status take_state(const Record& record, IndexItem& item);
    Status take_manifest(const Record& record);
    Status take_clock(const Record& record);
    Status take_vcpu(const Record& record, IndexItem& item);
    Status take_device(const Record& record);
    Status take_schema(const Record& record);
    Status take_pages(const Record& record, IndexItem& item);
    Status take_index(const Record& record);
    Status take_trailer(const Record& record, const Digest::Value& digest);
    Status check_complete() const;
    Status check_padding(const v1::PageBatch& batch, std::span<const std::byte> content) const;

    // Bounds what is kept in memory.
    Status keep(std::uint64_t bytes);

    Depth depth_;
    Contents contents_;
    std::optional<Coverage> ram_;
    std::vector<Coverage> disks_;
    std::vector<bool> device_seen_;
    BatchDecoder decoder_;
    v1::PageBatch batch_;
    std::vector<IndexItem> items_;
    std::size_t indexed_ = 0;
    std::uint64_t index_offset_ = 0;
    std::uint64_t kept_bytes_ = 0;
    bool in_index_ = false;
    bool done_ = false;
};

// A whole snapshot.
Result<Contents> judge_all(Source& source, Depth depth, const ProgressCallback& progress,
                           std::uint64_t total);

}  // namespace skep::snapshot
