// A snapshot as a sequence of records: header, frames and checksums, without regard to what the
// records mean.
#pragma once

#include <snapshot/digest.hpp>
#include <snapshot/error.hpp>
#include <snapshot/frame.hpp>
#include <snapshot/io.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace skep::snapshot {

struct Record {
    Frame frame;
    std::uint64_t offset = 0;            // of the frame
    std::span<const std::byte> payload;  // valid until the next record is read

    Location location() const { return {frame.kind, frame.sequence, offset}; }
};

// Puts a place to an error that has none.
template <typename T>
Result<T> at(const Location& location, Result<T> result) {
    if (!result && !result.error().where)
        result.error().where = location;
    return result;
}

class RecordStream {
  public:
    explicit RecordStream(Source& source) : source_(source) {}

    Result<Header> read_header();

    // The next record, its frame and payload checked. Truncated at the end of the file: a snapshot
    // ends with its trailer, which the caller recognizes.
    Result<Record> next();

    // After the trailer: the footer, and nothing behind it.
    Status read_footer(std::uint64_t trailer_offset);

    // Of everything before the trailer's frame.
    Digest::Value digest() const { return digest_.value(); }
    std::uint64_t offset() const { return offset_; }

  private:
    // Fills the buffer, or Truncated.
    Status read_exactly(std::span<std::byte> buffer);
    Result<Frame> read_frame();
    Status read_payload(const Frame& frame);

    Source& source_;
    std::uint64_t offset_ = 0;
    std::uint32_t next_sequence_ = 0;
    Digest digest_;
    std::vector<std::byte> payload_;
};

// Reads and checks one record at a known place of a file.
Result<Record> read_record_at(const File& file, std::uint64_t offset,
                              std::vector<std::byte>& payload);

}  // namespace skep::snapshot
