#include <kernel/mm/heap.hpp>

#include <kernel/base/log.hpp>

#include <algorithm>
#include <bit>

namespace skep::kernel {

namespace {

unsigned order_for(std::size_t size) {
    return static_cast<unsigned>(std::bit_width((size - 1) / kPageSize));
}

}  // namespace

void* Heap::allocate(std::size_t size) {
    if (const auto cache = std::ranges::lower_bound(caches_, size, {}, &SlabCache::size);
        cache != caches_.end())
        return cache->allocate();
    if (size > kLargest)
        return nullptr;
    const auto block = allocate_frames(order_for(size));
    return block ? direct_map(*block) : nullptr;
}

void Heap::free(void* memory) {
    if (!memory)
        return;
    Frame* frame = frame_of(direct_map_to_physical(memory));
    if (frame && frame->kind == FrameKind::SlabTail)
        frame = frame->head;
    if (frame && frame->kind == FrameKind::Slab)
        frame->owner->free(*frame, memory);
    else if (frame && frame->kind == FrameKind::Allocated)
        free_frames(address_of(*frame), frame->order);
    else
        panic("{} is freed, which was not allocated", memory);
}

}  // namespace skep::kernel
