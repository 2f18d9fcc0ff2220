// One record per 4 KiB frame of RAM.
#pragma once

#include <kernel/base/list.hpp>
#include <kernel/mm/physical.hpp>

#include <atomic>
#include <cstdint>

namespace skep::kernel {

class SlabCache;

enum class FrameKind : std::uint8_t {
    Reserved,   // never handed out: firmware, the kernel's image, what is not RAM
    Free,       // first frame of a free block of 2^order frames
    FreeTail,   // within a free block
    Allocated,  // first frame of an allocated block of 2^order frames
    Slab,       // first frame of a slab; `owner` is its cache
    SlabTail,   // `head` is its first frame
};

struct Frame : ListNode<> {
    union {
        SlabCache* owner;
        Frame* head;
    };
    void* free_objects;               // Slab
    std::atomic<std::uint32_t> uses;  // pages of objects and address spaces: mappings + object
    std::uint16_t objects_in_use;     // Slab
    FrameKind kind;
    std::uint8_t order;
};
static_assert(sizeof(Frame) == 40);

// The record of a frame, or null if the address is not RAM known at boot.
Frame* frame_of(PhysAddr);
PhysAddr address_of(const Frame&);

// For programs: single frames shared by counting (retain_frame, release_frame). The last of the
// memory is kept for the kernel itself.
Result<PhysAddr> allocate_user_frame();
Result<PhysAddr> allocate_zeroed_frame();

}  // namespace skep::kernel
