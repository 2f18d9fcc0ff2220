#include <snapshot/record_stream.hpp>

#include <snapshot/crc32c.hpp>

#include <algorithm>
#include <array>

namespace skep::snapshot {
namespace {

// A payload's buffer grows by as much at a time, so that a claimed length costs nothing by itself.
constexpr std::size_t kReadStep = 1u << 20;

Status check_length(const Frame& frame) {
    const KnownKind* known = find_kind(frame.kind);
    const std::uint32_t limit = known != nullptr ? known->max_length : kMaxUnknownLength;
    if (frame.length > limit)
        return fail(ErrorCode::TooLarge, std::to_string(frame.length) + " bytes; at most " +
                                             std::to_string(limit) + " are allowed");
    return {};
}

Status check_payload(const Frame& frame, std::span<const std::byte> payload) {
    if (crc32c(payload) != frame.payload_crc)
        return fail(ErrorCode::Damaged, "checksum of the payload");
    return {};
}

}  // namespace

Status RecordStream::read_exactly(std::span<std::byte> buffer) {
    while (!buffer.empty()) {
        const std::size_t got = SKEP_TRY(source_.read(buffer));
        if (got == 0)
            return fail(ErrorCode::Truncated, "the file ends at offset " + std::to_string(offset_));
        offset_ += got;
        buffer = buffer.subspan(got);
    }
    return {};
}

Result<Header> RecordStream::read_header() {
    const Location location{"header", 0, 0};
    std::array<std::byte, Header::kSize> bytes;
    SKEP_TRY(at(location, read_exactly(bytes)));
    const Header header = SKEP_TRY(at(location, Header::judge(bytes)));
    std::vector<std::byte> appended(header.header_bytes - Header::kSize);
    SKEP_TRY(at(location, read_exactly(appended)));
    digest_.update(bytes);
    digest_.update(appended);
    return header;
}

Result<Frame> RecordStream::read_frame() {
    std::array<std::byte, Frame::kSize> bytes;
    SKEP_TRY(read_exactly(bytes));
    Frame frame = SKEP_TRY(Frame::decode(bytes));
    if (frame.kind != kind::kTrailer)
        digest_.update(bytes);
    return frame;
}

Status RecordStream::read_payload(const Frame& frame) {
    SKEP_TRY(check_length(frame));
    payload_.clear();
    while (payload_.size() < frame.length) {
        const std::size_t filled = payload_.size();
        payload_.resize(std::min<std::size_t>(frame.length, filled + kReadStep));
        SKEP_TRY(read_exactly(std::span(payload_).subspan(filled)));
    }
    if (frame.kind != kind::kTrailer)
        digest_.update(payload_);
    return check_payload(frame, payload_);
}

Result<Record> RecordStream::next() {
    Record record;
    record.offset = offset_;
    record.frame = SKEP_TRY(at(Location{"", next_sequence_, record.offset}, read_frame()));
    const Location location{record.frame.kind, next_sequence_, record.offset};
    if (record.frame.sequence != next_sequence_)
        return at(location, Result<Record>(fail(
                                ErrorCode::Malformed,
                                "this is record number " + std::to_string(record.frame.sequence) +
                                    " in the place of number " + std::to_string(next_sequence_))));
    ++next_sequence_;
    SKEP_TRY(at(location, read_payload(record.frame)));
    record.payload = payload_;
    return record;
}

Status RecordStream::read_footer(std::uint64_t trailer_offset) {
    const Location location{"footer", 0, offset_};
    std::array<std::byte, Footer::kSize> bytes;
    SKEP_TRY(at(location, read_exactly(bytes)));
    const Footer footer = SKEP_TRY(at(location, Footer::decode(bytes)));
    if (footer.trailer_offset != trailer_offset)
        return at(location, Status(fail(ErrorCode::Damaged, "the trailer's offset")));
    std::byte extra;
    if (SKEP_TRY(source_.read(std::span(&extra, 1))) != 0)
        return at(location, Status(fail(ErrorCode::LeftOver, "bytes after the end")));
    return {};
}

Result<Record> read_record_at(const File& file, std::uint64_t offset,
                              std::vector<std::byte>& payload) {
    const auto read_exactly = [&](std::uint64_t from, std::span<std::byte> buffer) -> Status {
        while (!buffer.empty()) {
            const std::size_t got = SKEP_TRY(file.read_at(from, buffer));
            if (got == 0)
                return fail(ErrorCode::Truncated,
                            "the file ends at offset " + std::to_string(from));
            from += got;
            buffer = buffer.subspan(got);
        }
        return {};
    };
    Record record;
    record.offset = offset;
    std::array<std::byte, Frame::kSize> bytes;
    const Location unknown{"", 0, offset};
    SKEP_TRY(at(unknown, read_exactly(offset, bytes)));
    record.frame = SKEP_TRY(at(unknown, Frame::decode(bytes)));
    SKEP_TRY(at(record.location(), check_length(record.frame)));
    payload.resize(record.frame.length);
    SKEP_TRY(at(record.location(), read_exactly(offset + Frame::kSize, payload)));
    SKEP_TRY(at(record.location(), check_payload(record.frame, payload)));
    record.payload = payload;
    return record;
}

}  // namespace skep::snapshot
