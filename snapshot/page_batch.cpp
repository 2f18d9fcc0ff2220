#include <snapshot/page_batch.hpp>

#include <google/protobuf/io/coded_stream.h>
#include <zstd.h>

#include <bit>
#include <cstring>

namespace skep::snapshot {
namespace {

// Field number and wire type 2 (length-delimited); protobuf encoding, "Message structure".
constexpr std::uint8_t kDataTag = v1::PageBatch::kDataFieldNumber << 3 | 2;
static_assert(v1::PageBatch::kDataFieldNumber < 16);

std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text));
}

// `data` is the field with the highest number, so appending it yields the canonical serialization.
std::string head_of(const v1::PageBatch& batch, std::size_t data_size) {
    std::string head = batch.SerializeAsString();
    if (data_size != 0) {
        head.push_back(static_cast<char>(kDataTag));
        std::uint8_t length[5];
        const std::uint8_t* end = google::protobuf::io::CodedOutputStream::WriteVarint32ToArray(
            static_cast<std::uint32_t>(data_size), length);
        head.append(reinterpret_cast<const char*>(length), end - length);
    }
    return head;
}

}  // namespace

bool is_zero(std::span<const std::byte> page) {
    // Comparing the page with itself, one byte on, needs no second page and uses memcmp's vectors.
    return page.empty() || (page[0] == std::byte{0} &&
                            std::memcmp(page.data(), page.data() + 1, page.size() - 1) == 0);
}

void BatchEncoder::Context::operator()(ZSTD_CCtx_s* context) const {
    ZSTD_freeCCtx(context);
}
void BatchDecoder::Context::operator()(ZSTD_DCtx_s* context) const {
    ZSTD_freeDCtx(context);
}

BatchEncoder::BatchEncoder(int compression_level)
    : level_(compression_level), context_(ZSTD_createCCtx()) {}
BatchEncoder::~BatchEncoder() = default;
BatchEncoder::BatchEncoder(BatchEncoder&&) noexcept = default;
BatchEncoder& BatchEncoder::operator=(BatchEncoder&&) noexcept = default;

EncodedBatch BatchEncoder::encode_zero(std::uint64_t start, std::uint32_t disk,
                                       std::uint32_t pages) {
    v1::PageBatch batch;
    batch.set_start(start);
    batch.set_pages(pages);
    batch.set_encoding(v1::PageBatch::ENCODING_ZERO);
    batch.set_disk(disk);
    return {.head = batch.SerializeAsString(), .data = {}, .present_pages = 0};
}

Result<EncodedBatch> BatchEncoder::encode(std::uint64_t start, std::uint32_t disk,
                                          std::span<const std::byte> pages) {
    const auto count = static_cast<std::uint32_t>(pages.size() / kPageSize);
    v1::PageBatch batch;
    batch.set_start(start);
    batch.set_pages(count);
    batch.set_disk(disk);
    std::string& bitmap = *batch.mutable_present();
    bitmap.assign((count + 7) / 8, '\0');
    std::uint32_t present = 0;
    for (std::uint32_t page = 0; page < count; ++page) {
        if (is_zero(pages.subspan(page * kPageSize, kPageSize)))
            continue;
        bitmap[page / 8] = static_cast<char>(bitmap[page / 8] | 1 << page % 8);
        ++present;
    }

    std::span<const std::byte> content = pages;
    if (present < count) {
        gathered_.resize(present * kPageSize);
        std::size_t filled = 0;
        for (std::uint32_t page = 0; page < count; ++page) {
            if (!is_present(batch, page))
                continue;
            std::memcpy(gathered_.data() + filled, pages.data() + page * kPageSize, kPageSize);
            filled += kPageSize;
        }
        content = gathered_;
    }

    batch.set_encoding(v1::PageBatch::ENCODING_RAW);
    if (level_ != 0) {
        compressed_.resize(ZSTD_compressBound(content.size()));
        const std::size_t size =
            ZSTD_compressCCtx(context_.get(), compressed_.data(), compressed_.size(),
                              content.data(), content.size(), level_);
        if (ZSTD_isError(size) != 0)
            return fail(ErrorCode::Misuse, std::string("zstd: ") + ZSTD_getErrorName(size));
        if (size < content.size()) {
            batch.set_encoding(v1::PageBatch::ENCODING_ZSTD);
            content = std::span(compressed_).first(size);
        }
    }
    return EncodedBatch{
        .head = head_of(batch, content.size()), .data = content, .present_pages = present};
}

bool is_present(const v1::PageBatch& batch, std::uint32_t page) {
    return (static_cast<unsigned char>(batch.present()[page / 8]) >> page % 8 & 1) != 0;
}

std::uint32_t present_pages(const v1::PageBatch& batch) {
    std::uint32_t count = 0;
    for (const char byte : batch.present())
        count += std::popcount(static_cast<unsigned char>(byte));
    return count;
}

Status check_batch(const v1::PageBatch& batch) {
    if (batch.start() % kPageSize != 0 || batch.pages() == 0)
        return fail(ErrorCode::Malformed,
                    std::to_string(batch.pages()) + " pages at " + std::to_string(batch.start()));
    if (batch.encoding() == v1::PageBatch::ENCODING_ZERO) {
        if (!batch.present().empty() || !batch.data().empty())
            return fail(ErrorCode::Malformed, "zero pages with content");
        return {};
    }
    if (batch.encoding() != v1::PageBatch::ENCODING_RAW &&
        batch.encoding() != v1::PageBatch::ENCODING_ZSTD)
        return fail(ErrorCode::Unknown,
                    "page encoding " + std::to_string(static_cast<int>(batch.encoding())));

    if (batch.pages() > kMaxBatchPages)
        return fail(ErrorCode::TooLarge, std::to_string(batch.pages()) + " pages in one batch");
    const std::uint32_t present = present_pages(batch);
    const std::uint32_t padding = batch.present().size() * 8 - batch.pages();
    if (batch.present().size() != (batch.pages() + 7) / 8 || present == 0 ||
        (padding != 0 && static_cast<unsigned char>(batch.present().back()) >> (8 - padding) != 0))
        return fail(ErrorCode::Malformed, "bitmap of present pages");

    const std::size_t size = present * kPageSize;
    const std::string& data = batch.data();
    if (batch.encoding() == v1::PageBatch::ENCODING_RAW) {
        if (data.size() != size)
            return fail(ErrorCode::Malformed, std::to_string(data.size()) + " bytes for " +
                                                  std::to_string(present) + " pages");
    } else if (ZSTD_getFrameContentSize(data.data(), data.size()) != size ||
               ZSTD_findFrameCompressedSize(data.data(), data.size()) != data.size()) {
        return fail(ErrorCode::Malformed,
                    "data is not one zstd frame of " + std::to_string(present) + " pages");
    }
    return {};
}

BatchDecoder::BatchDecoder() : context_(ZSTD_createDCtx()) {}
BatchDecoder::~BatchDecoder() = default;

Status BatchDecoder::decompress(const v1::PageBatch& batch, std::span<std::byte> destination) {
    const std::string& data = batch.data();
    const std::size_t size = ZSTD_decompressDCtx(context_.get(), destination.data(),
                                                 destination.size(), data.data(), data.size());
    if (ZSTD_isError(size) != 0)
        return fail(ErrorCode::Malformed,
                    std::string("compressed pages: ") + ZSTD_getErrorName(size));
    if (size != destination.size())
        return fail(ErrorCode::Malformed,
                    "compressed pages expand to " + std::to_string(size) + " bytes");
    return {};
}

Result<std::span<const std::byte>> BatchDecoder::decode(const v1::PageBatch& batch) {
    if (batch.encoding() != v1::PageBatch::ENCODING_ZSTD)
        return bytes_of(batch.data());
    buffer_.resize(present_pages(batch) * kPageSize);
    SKEP_TRY(decompress(batch, buffer_));
    return buffer_;
}

Status BatchDecoder::decode_into(const v1::PageBatch& batch, std::span<std::byte> destination) {
    const std::uint32_t present = present_pages(batch);
    if (batch.encoding() == v1::PageBatch::ENCODING_ZSTD && present == batch.pages())
        return decompress(batch, destination.first(present * kPageSize));

    std::span<const std::byte> content = SKEP_TRY(decode(batch));
    for (std::uint32_t page = 0; !content.empty(); ++page) {
        if (!is_present(batch, page))
            continue;
        std::memcpy(destination.data() + page * kPageSize, content.data(), kPageSize);
        content = content.subspan(kPageSize);
    }
    return {};
}

}  // namespace skep::snapshot
