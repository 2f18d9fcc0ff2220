// The kernel's heap: operator new (nothrow) and delete, kernel_allocate() for C code. May be used
// with spin locks held and in interrupt handlers; never sleeps.
#pragma once

#include <kernel/mm/slab.hpp>

#include <array>

namespace skep::kernel {

// Slabs for what is small, whole frames for the rest.
class Heap {
  public:
    static constexpr std::size_t kLargest = kPageSize << 10;

    // Aligned to 16 bytes, or to its size if that is a power of two. Null if there is no memory.
    [[nodiscard]] void* allocate(std::size_t size);
    void free(void* memory);  // null is fine

  private:
    std::array<SlabCache, 14> caches_{
        SlabCache{16, 0}, {32, 0},  {48, 0},  {64, 0},  {96, 0},   {128, 0},  {192, 0},
        {256, 0},         {384, 0}, {512, 0}, {768, 2}, {1024, 2}, {1536, 2}, {2048, 2},
    };
};

[[nodiscard]] void* kernel_allocate(std::size_t size);
void kernel_free(void* memory);

}  // namespace skep::kernel
