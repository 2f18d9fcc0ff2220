// The kernel's heap: operator new (nothrow) and delete, kernel_allocate() for C code. May be used
// with spin locks held and in interrupt handlers; never sleeps.
#pragma once

#include <kernel/base/list.hpp>
#include <kernel/mm/frame.hpp>
#include <kernel/sync/spinlock.hpp>

#include <cstddef>

namespace skep::kernel {

// Aligned to 16 bytes, or to its size if that is a power of two. Null if there is no memory.
[[nodiscard]] void* kernel_allocate(std::size_t size);
void kernel_free(void* memory);  // null is fine

// Objects of one size, in blocks of 2^order frames.
class SlabCache {
  public:
    SlabCache(std::size_t size, unsigned order) : size_(size), order_(order) {}
    void* allocate();
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
