#include <snapshot/frame.hpp>

#include <snapshot/crc32c.hpp>

#include <algorithm>
#include <bit>
#include <cstring>

namespace skep::snapshot {
namespace {

static_assert(std::endian::native == std::endian::little);

// As PNG does: not text, and broken visibly by a transfer that converts line ends.
constexpr char kMagic[8] = {'\x89', 'S', 'K', 'E', 'P', '\r', '\n', '\x1a'};
constexpr char kEndMagic[8] = {'S', 'K', 'E', 'P', 'E', 'N', 'D', '\n'};

struct HeaderLayout {
    char magic[8];
    std::uint32_t container_version, minimum_reader_version, header_bytes, digest_algorithm;
    std::uint32_t reserved;
    std::uint32_t crc;  // of the bytes before it
};
static_assert(sizeof(HeaderLayout) == Header::kSize);
static_assert(offsetof(HeaderLayout, crc) == 28);

struct FrameLayout {
    char kind[8];  // padded with NUL
    std::uint32_t sequence;
    std::uint16_t version, flags;
    std::uint32_t length, payload_crc;
    std::uint32_t crc;  // of the bytes before it
};
static_assert(sizeof(FrameLayout) == Frame::kSize);
static_assert(offsetof(FrameLayout, crc) == 24);

struct FooterLayout {
    std::uint64_t trailer_offset;
    char magic[8];
};
static_assert(sizeof(FooterLayout) == Footer::kSize);

bool is_kind_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

constexpr std::uint32_t kSmall = 1u << 20;
constexpr std::uint32_t kBatch = (4u << 20) + 4096;  // 1024 pages and the fields beside them
constexpr KnownKind kKinds[] = {
    {kind::kManifest, 1, true, kSmall}, {kind::kClock, 1, true, kSmall},
    {kind::kVcpu, 1, true, kSmall},     {kind::kDevice, 1, true, kSmall},
    {kind::kRam, 1, true, kBatch},      {kind::kDisk, 1, true, kBatch},
    {kind::kSchema, 1, false, kSmall},  {kind::kIndex, 1, true, kSmall},
    {kind::kTrailer, 1, true, kSmall},
};

}  // namespace

std::array<std::byte, Header::kSize> Header::encode() const {
    HeaderLayout layout{.magic = {},
                        .container_version = container_version,
                        .minimum_reader_version = minimum_reader_version,
                        .header_bytes = header_bytes,
                        .digest_algorithm = digest_algorithm,
                        .reserved = 0,
                        .crc = 0};
    std::memcpy(layout.magic, kMagic, sizeof(kMagic));
    layout.crc = crc32c(std::as_bytes(std::span(&layout, 1)).first(offsetof(HeaderLayout, crc)));
    return std::bit_cast<std::array<std::byte, kSize>>(layout);
}

Result<Header> Header::judge(std::span<const std::byte, kSize> bytes) {
    HeaderLayout layout;
    std::memcpy(&layout, bytes.data(), sizeof(layout));
    if (std::memcmp(layout.magic, kMagic, sizeof(kMagic)) != 0)
        return fail(ErrorCode::NotSnapshot, "the file does not begin with a snapshot's magic");
    if (layout.crc != crc32c(bytes.first(offsetof(HeaderLayout, crc))))
        return fail(ErrorCode::Damaged, "checksum of the header");
    if (layout.minimum_reader_version > kContainerVersion)
        return fail(ErrorCode::Newer, "container version " +
                                          std::to_string(layout.container_version) +
                                          " needs a reader of version " +
                                          std::to_string(layout.minimum_reader_version) +
                                          "; this one has " + std::to_string(kContainerVersion));
    if (layout.container_version == 0 || layout.minimum_reader_version == 0 ||
        layout.minimum_reader_version > layout.container_version)
        return fail(ErrorCode::Malformed, "container version " +
                                              std::to_string(layout.container_version) +
                                              " with minimum reader version " +
                                              std::to_string(layout.minimum_reader_version));
    if (layout.header_bytes < kSize || layout.header_bytes > kMaxSize)
        return fail(ErrorCode::Malformed, "header size " + std::to_string(layout.header_bytes));
    if (layout.digest_algorithm != kDigestXxh3)
        return fail(ErrorCode::Newer,
                    "digest algorithm " + std::to_string(layout.digest_algorithm));
    if (layout.container_version == 1 && (layout.reserved != 0 || layout.header_bytes != kSize))
        return fail(ErrorCode::Malformed, "reserved parts of the header are in use");
    return Header{.container_version = layout.container_version,
                  .minimum_reader_version = layout.minimum_reader_version,
                  .header_bytes = layout.header_bytes,
                  .digest_algorithm = layout.digest_algorithm};
}

std::array<std::byte, Frame::kSize> Frame::encode() const {
    FrameLayout layout{.kind = {},
                       .sequence = sequence,
                       .version = version,
                       .flags = flags,
                       .length = length,
                       .payload_crc = payload_crc,
                       .crc = 0};
    std::memcpy(layout.kind, kind.data(), std::min(kind.size(), sizeof(layout.kind)));
    layout.crc = crc32c(std::as_bytes(std::span(&layout, 1)).first(offsetof(FrameLayout, crc)));
    return std::bit_cast<std::array<std::byte, kSize>>(layout);
}

Result<Frame> Frame::decode(std::span<const std::byte, kSize> bytes) {
    FrameLayout layout;
    std::memcpy(&layout, bytes.data(), sizeof(layout));
    if (layout.crc != crc32c(bytes.first(offsetof(FrameLayout, crc))))
        return fail(ErrorCode::Damaged, "checksum of the frame");
    const char* const kind_begin = layout.kind;
    const char* const kind_end = kind_begin + sizeof(layout.kind);
    const char* const padding = std::find(kind_begin, kind_end, '\0');
    if (padding == kind_begin || !std::all_of(kind_begin, padding, is_kind_character) ||
        !std::all_of(padding, kind_end, [](char c) { return c == '\0'; }))
        return fail(ErrorCode::Malformed, "the record's kind is not a name");
    if ((layout.flags & ~kFlagRequired) != 0)
        return fail(ErrorCode::Newer, "unknown flags " + std::to_string(layout.flags));
    return Frame{.kind = std::string(kind_begin, padding),
                 .sequence = layout.sequence,
                 .version = layout.version,
                 .flags = layout.flags,
                 .length = layout.length,
                 .payload_crc = layout.payload_crc};
}

std::array<std::byte, Footer::kSize> Footer::encode() const {
    FooterLayout layout{.trailer_offset = trailer_offset, .magic = {}};
    std::memcpy(layout.magic, kEndMagic, sizeof(kEndMagic));
    return std::bit_cast<std::array<std::byte, kSize>>(layout);
}

Result<Footer> Footer::decode(std::span<const std::byte, kSize> bytes) {
    FooterLayout layout;
    std::memcpy(&layout, bytes.data(), sizeof(layout));
    if (std::memcmp(layout.magic, kEndMagic, sizeof(kEndMagic)) != 0)
        return fail(ErrorCode::Damaged, "the end marker");
    return Footer{.trailer_offset = layout.trailer_offset};
}

const KnownKind* find_kind(std::string_view name) {
    const auto* found = std::ranges::find(kKinds, name, &KnownKind::name);
    return found == std::end(kKinds) ? nullptr : found;
}

}  // namespace skep::snapshot
