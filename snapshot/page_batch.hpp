// Pages of RAM or of a disk to and from the payload of a "ram" or "disk" record.
#pragma once

#include <skep/snapshot/v1/snapshot.pb.h>

#include <snapshot/coverage.hpp>
#include <snapshot/error.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

struct ZSTD_CCtx_s;
struct ZSTD_DCtx_s;

namespace skep::snapshot {

// Pages in one batch that has data.
inline constexpr std::uint32_t kMaxBatchPages = 1024;

bool is_zero(std::span<const std::byte> page);

// A serialized v1::PageBatch in two pieces, so that the pages themselves need not be copied.
struct EncodedBatch {
    std::string head;                 // all fields but the content of `data`
    std::span<const std::byte> data;  // valid until the encoder's next use, or as long as the pages
    std::uint32_t present_pages = 0;
};

// One per thread.
class BatchEncoder {
  public:
    explicit BatchEncoder(int compression_level);
    ~BatchEncoder();
    BatchEncoder(BatchEncoder&&) noexcept;
    BatchEncoder& operator=(BatchEncoder&&) noexcept;

    // `pages`: 1 to kMaxBatchPages whole pages, not all of them zero.
    Result<EncodedBatch> encode(std::uint64_t start, std::uint32_t disk,
                                std::span<const std::byte> pages);
    static EncodedBatch encode_zero(std::uint64_t start, std::uint32_t disk, std::uint32_t pages);

  private:
    struct Context {
        void operator()(ZSTD_CCtx_s* context) const;
    };
    int level_;
    std::unique_ptr<ZSTD_CCtx_s, Context> context_;
    std::vector<std::byte> gathered_, compressed_;
};

// Checks everything about a batch but the inside of its compressed data.
Status check_batch(const v1::PageBatch& batch);

std::uint32_t present_pages(const v1::PageBatch& batch);
bool is_present(const v1::PageBatch& batch, std::uint32_t page);

class BatchDecoder {
  public:
    BatchDecoder();
    ~BatchDecoder();

    // The present pages, one after the other; valid until the next use. The batch was checked.
    Result<std::span<const std::byte>> decode(const v1::PageBatch& batch);

    // Writes the present pages to their places in `destination`, which holds batch.pages() pages.
    Status decode_into(const v1::PageBatch& batch, std::span<std::byte> destination);

  private:
    struct Context {
        void operator()(ZSTD_DCtx_s* context) const;
    };
    Status decompress(const v1::PageBatch& batch, std::span<std::byte> destination);

    std::unique_ptr<ZSTD_DCtx_s, Context> context_;
    std::vector<std::byte> buffer_;
};

}  // namespace skep::snapshot
