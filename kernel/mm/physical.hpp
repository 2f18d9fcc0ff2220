// Physical memory: distinct address type, frame allocation, the direct map.
#pragma once

#include <kernel/base/errno.hpp>

#include <compare>
#include <cstddef>
#include <cstdint>

namespace skep::kernel {

inline constexpr std::size_t kPageSize = 4096;
inline constexpr std::size_t kLargePageSize = 2 * 1024 * 1024;

struct PhysAddr {
    std::uint64_t value = 0;
    constexpr auto operator<=>(const PhysAddr&) const = default;
    constexpr PhysAddr operator+(std::uint64_t bytes) const { return {value + bytes}; }
};

// All RAM is mapped, writable, at a fixed offset.
void* direct_map(PhysAddr);
PhysAddr direct_map_to_physical(const void*);
// Device registers, uncached.
Result<volatile void*> map_device(PhysAddr, std::size_t size);
// A framebuffer: writes are gathered on the way, reads are slow.
Result<volatile void*> map_write_combining(PhysAddr, std::size_t size);

// 2^order contiguous, naturally aligned frames; order 9 = 2 MiB.
Result<PhysAddr> allocate_frames(unsigned order);
void free_frames(PhysAddr, unsigned order);
// Reference counts of single frames (order 0), born with one: page caches and mappings share
// frames. The last release frees the frame. Frames of boot modules may be counted too; they are
// never freed.
void retain_frame(PhysAddr);
void release_frame(PhysAddr);
struct MemoryUse {
    std::uint64_t total_frames, free_frames;
};
MemoryUse memory_use();

}  // namespace skep::kernel
