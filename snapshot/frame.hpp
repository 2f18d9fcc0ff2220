// The plain parts of the container: header, record frames, footer. All numbers are little endian.
// docs/snapshot-format.md is the specification.
#pragma once

#include <snapshot/error.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace skep::snapshot {

inline constexpr std::uint32_t kContainerVersion = 1;

// The first bytes of a file. They stay where they are in every later container version.
struct Header {
    static constexpr std::size_t kSize = 32;
    static constexpr std::size_t kMaxSize = 4096;  // with what later versions append
    static constexpr std::uint32_t kDigestXxh3 = 1;

    std::uint32_t container_version = kContainerVersion;
    std::uint32_t minimum_reader_version = 1;
    std::uint32_t header_bytes = kSize;
    std::uint32_t digest_algorithm = kDigestXxh3;

    std::array<std::byte, kSize> encode() const;
    // Says whether this reader can read the file.
    static Result<Header> judge(std::span<const std::byte, kSize> bytes);
};

// Names of record kinds: 1 to 8 characters of [a-z0-9-].
namespace kind {
inline constexpr std::string_view kManifest = "manifest";
inline constexpr std::string_view kClock = "clock";
inline constexpr std::string_view kVcpu = "vcpu";
inline constexpr std::string_view kDevice = "device";
inline constexpr std::string_view kRam = "ram";
inline constexpr std::string_view kDisk = "disk";
inline constexpr std::string_view kSchema = "schema";
inline constexpr std::string_view kIndex = "index";
inline constexpr std::string_view kTrailer = "trailer";
}  // namespace kind

// What precedes each record's payload.
struct Frame {
    static constexpr std::size_t kSize = 28;
    static constexpr std::uint16_t kFlagRequired = 1;

    std::string kind;
    std::uint32_t sequence = 0;
    std::uint16_t version = 1;
    std::uint16_t flags = kFlagRequired;
    std::uint32_t length = 0;
    std::uint32_t payload_crc = 0;

    bool required() const { return (flags & kFlagRequired) != 0; }
    std::array<std::byte, kSize> encode() const;
    // Checks its own CRC, the kind's characters and the flags; not the rest.
    static Result<Frame> decode(std::span<const std::byte, kSize> bytes);
};

// The last bytes of a file: where a reader that can seek finds the trailer.
struct Footer {
    static constexpr std::size_t kSize = 16;

    std::uint64_t trailer_offset;

    std::array<std::byte, kSize> encode() const;
    static Result<Footer> decode(std::span<const std::byte, kSize> bytes);
};

// A record kind that this release knows.
struct KnownKind {
    std::string_view name;
    std::uint16_t version;
    bool required;
    std::uint32_t max_length;  // of the payload
};
const KnownKind* find_kind(std::string_view name);  // null: unknown

// Payloads of unknown kinds are at most this long.
inline constexpr std::uint32_t kMaxUnknownLength = 8u << 20;

}  // namespace skep::snapshot
