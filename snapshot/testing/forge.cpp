#include <snapshot/testing/forge.hpp>

#include <skep/snapshot/v1/snapshot.pb.h>
#include <skep/snapshot/v1/vcpu.pb.h>

#include <snapshot/crc32c.hpp>
#include <snapshot/digest.hpp>
#include <snapshot/record_stream.hpp>

#include <algorithm>
#include <cstdlib>

namespace skep::snapshot::testing {
namespace {

std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text));
}

// The index entry that fits a record, as far as its payload can be parsed.
v1::IndexEntry index_entry(const ForgedRecord& record, std::uint64_t offset) {
    v1::IndexEntry entry;
    entry.set_kind(record.kind);
    entry.set_offset(offset);
    v1::PageBatch batch;
    v1::VcpuState vcpu;
    if ((record.kind == kind::kRam || record.kind == kind::kDisk) &&
        batch.ParseFromString(record.payload)) {
        entry.set_start(batch.start());
        entry.set_pages(batch.pages());
        entry.set_disk(batch.disk());
    } else if (record.kind == kind::kVcpu && vcpu.ParseFromString(record.payload)) {
        entry.set_start(vcpu.index());
    }
    return entry;
}

void add_to_sums(const ForgedRecord& record, v1::Trailer& trailer) {
    v1::PageBatch batch;
    if ((record.kind != kind::kRam && record.kind != kind::kDisk) ||
        !batch.ParseFromString(record.payload))
        return;
    constexpr std::uint64_t kPage = 4096;
    const std::uint64_t bytes = batch.pages() * kPage;
    std::uint64_t present = 0;
    for (const char byte : batch.present())
        present += std::popcount(static_cast<unsigned char>(byte));
    if (record.kind == kind::kRam)
        trailer.set_ram_bytes(trailer.ram_bytes() + bytes);
    trailer.set_zero_bytes(trailer.zero_bytes() + bytes - present * kPage);
}

class Assembler {
  public:
    explicit Assembler(const Header& header) { append(header.encode()); }

    std::uint64_t offset() const { return bytes_.size(); }
    std::uint32_t records() const { return sequence_; }

    void add(const ForgedRecord& record) {
        append(Frame{.kind = record.kind,
                     .sequence = sequence_++,
                     .version = record.version,
                     .flags = record.flags,
                     .length = static_cast<std::uint32_t>(record.payload.size()),
                     .payload_crc = crc32c(bytes_of(record.payload))}
                   .encode());
        append(bytes_of(record.payload));
    }

    std::string digest() const {
        Digest digest;
        digest.update(bytes_);
        const Digest::Value value = digest.value();
        return {reinterpret_cast<const char*>(value.data()), value.size()};
    }

    std::vector<std::byte> end(std::uint64_t trailer_offset) {
        append(Footer{.trailer_offset = trailer_offset}.encode());
        return std::move(bytes_);
    }

  private:
    void append(std::span<const std::byte> data) {
        bytes_.insert(bytes_.end(), data.begin(), data.end());
    }

    std::vector<std::byte> bytes_;
    std::uint32_t sequence_ = 0;
};

}  // namespace

std::vector<ForgedRecord> take_apart(std::span<const std::byte> snapshot) {
    const MemoryFile file(snapshot);
    FileSource source(file);
    RecordStream stream(source);
    std::vector<ForgedRecord> records;
    if (!stream.read_header())
        std::abort();
    for (;;) {
        const auto record = stream.next();
        if (!record)
            std::abort();
        if (record->frame.kind == kind::kIndex)
            return records;
        records.push_back({.kind = record->frame.kind,
                           .version = record->frame.version,
                           .flags = record->frame.flags,
                           .payload = {reinterpret_cast<const char*>(record->payload.data()),
                                       record->payload.size()}});
    }
}

std::vector<std::byte> put_together(std::span<const ForgedRecord> records,
                                    const ForgeOptions& options) {
    Assembler assembler(options.header);
    v1::Index index;
    v1::Trailer trailer;
    for (const ForgedRecord& record : records) {
        *index.add_entries() = index_entry(record, assembler.offset());
        add_to_sums(record, trailer);
        assembler.add(record);
    }
    trailer.set_index_offset(assembler.offset());

    std::vector<ForgedRecord> end{{.kind = "index", .payload = index.SerializeAsString()},
                                  {.kind = "trailer"}};
    const auto is_trailer = [](const ForgedRecord& record) { return record.kind == "trailer"; };
    if (options.change_end)
        options.change_end(end);
    std::uint64_t trailer_offset = 0;
    for (ForgedRecord& record : end) {
        if (is_trailer(record)) {
            trailer_offset = assembler.offset();
            // Only a test that gave it a payload of its own gets another than the right one.
            if (record.payload.empty()) {
                trailer.set_digest(assembler.digest());
                trailer.set_records(assembler.records());
                record.payload = trailer.SerializeAsString();
            }
        }
        assembler.add(record);
    }
    return assembler.end(trailer_offset);
}

ForgedRecord& find(std::vector<ForgedRecord>& records, std::string_view kind) {
    const auto found = std::ranges::find(records, kind, &ForgedRecord::kind);
    if (found == records.end())
        std::abort();
    return *found;
}

}  // namespace skep::snapshot::testing
