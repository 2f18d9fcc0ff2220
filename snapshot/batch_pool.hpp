// Encodes batches of pages on several threads and gives them back in their order.
#pragma once

#include <snapshot/error.hpp>
#include <snapshot/page_batch.hpp>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace skep::snapshot {

class BatchPool {
  public:
    // One thread: the caller's own does the work.
    BatchPool(int compression_level, unsigned threads);
    ~BatchPool();
    BatchPool(const BatchPool&) = delete;
    BatchPool& operator=(const BatchPool&) = delete;

    // `encoded` is null if all of `pages` is zero; else it is valid during the call.
    using Take = std::function<Status(std::uint64_t start, std::span<const std::byte> pages,
                                      const EncodedBatch* encoded)>;
    // Splits `pages` into batches of `batch_bytes` and hands each to `take`, on the calling thread
    // and in order. Ends with the first error; then no thread looks at `pages` any more.
    Status encode(std::uint64_t start, std::uint32_t disk, std::span<const std::byte> pages,
                  std::size_t batch_bytes, const Take& take);

  private:
    struct Slot {
        explicit Slot(int level) : encoder(level) {}
        BatchEncoder encoder;
        std::uint64_t start = 0;
        std::uint32_t disk = 0;
        std::span<const std::byte> pages;
        bool zero = false, done = false;  // done: under mutex_
        Result<EncodedBatch> encoded;
    };

    void work();
    static void encode_slot(Slot& slot);
    Slot& slot(std::uint64_t number) { return slots_[number % slots_.size()]; }
    void queue(std::uint64_t start, std::uint32_t disk, std::span<const std::byte> pages);
    Slot& wait_for(std::uint64_t number);

    std::vector<Slot> slots_;  // a ring: batch n is in slot n % size
    std::mutex mutex_;
    std::condition_variable queued_changed_, done_changed_;
    std::uint64_t queued_ = 0, begun_ = 0;  // batches so far; under mutex_
    bool quit_ = false;                     // likewise
    std::uint64_t taken_ = 0;               // the caller's
    std::vector<std::thread> threads_;
};

}  // namespace skep::snapshot
