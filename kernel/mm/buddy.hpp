// Buddy allocator over an array of frame records. Hardware-free; physical.cpp holds the machine's
// one.
#pragma once

#include <kernel/mm/frame.hpp>
#include <kernel/sync/spinlock.hpp>

#include <array>
#include <span>

namespace skep::kernel {

class Buddy {
  public:
    static constexpr unsigned kMaxOrder = 10;  // 4 MiB

    // `frames[i]` describes frame number i; all start out Reserved.
    void init(std::span<Frame> frames) { frames_ = frames; }
    // Gives frames [first, end) to the allocator; they must be Reserved.
    void add(std::size_t first, std::size_t end);

    // -> frame number of 2^order naturally aligned frames. Errors: NoMem, Inval (order too large).
    Result<std::size_t> allocate(unsigned order);
    void free(std::size_t frame, unsigned order);

    MemoryUse use() const { return {total_, free_}; }

  private:
    void free_locked(std::size_t frame, unsigned order);
    void put(std::size_t frame, unsigned order);

    SpinLock lock_{"Buddy"};
    std::span<Frame> frames_;
    std::array<List<Frame>, kMaxOrder + 1> free_lists_;
    std::uint64_t total_ = 0, free_ = 0;
};

}  // namespace skep::kernel
