// Objects of one size, many to a block of frames.
#pragma once

#include <kernel/base/list.hpp>
#include <kernel/mm/frame.hpp>
#include <kernel/sync/spinlock.hpp>

#include <cstddef>

namespace skep::kernel {

class SlabCache {
  public:
    // In blocks of 2^order frames.
    SlabCache(std::size_t size, unsigned order) : size_(size), order_(order) {}
    void* allocate();  // null: there is no memory
    void free(Frame& slab, void* object);
    std::size_t size() const { return size_; }

  private:
    Frame* grow();

    SpinLock lock_{"SlabCache"};
    std::size_t size_;
    unsigned order_;
    List<Frame> partial_;  // with a free object; full slabs are on no list
    unsigned empty_ = 0;   // of them, without a used one; one is kept
};

}  // namespace skep::kernel
