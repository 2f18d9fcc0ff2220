#include <kernel/mm/slab.hpp>

#include <kernel/base/log.hpp>

#include <algorithm>
#include <bit>
#include <new>

namespace skep::kernel {

namespace {

SlabCache caches[] = {
    {16, 0},  {32, 0},  {48, 0},  {64, 0},  {96, 0},   {128, 0},  {192, 0},
    {256, 0}, {384, 0}, {512, 0}, {768, 2}, {1024, 2}, {1536, 2}, {2048, 2},
};

SlabCache* cache_for(std::size_t size) {
    auto* cache = std::ranges::lower_bound(caches, size, {}, &SlabCache::size);
    return cache == std::end(caches) ? nullptr : cache;
}

unsigned order_for(std::size_t size) {
    return static_cast<unsigned>(std::bit_width((size - 1) / kPageSize));
}

}  // namespace

Frame* SlabCache::grow() {
    auto block = allocate_frames(order_);
    if (!block)
        return nullptr;
    Frame* slab = frame_of(*block);
    slab->kind = FrameKind::Slab;
    slab->owner = this;
    slab->objects_in_use = 0;
    for (unsigned i = 1; i < 1u << order_; i++) {
        slab[i].kind = FrameKind::SlabTail;
        slab[i].head = slab;
    }
    auto* memory = static_cast<char*>(direct_map(*block));
    void* next = nullptr;
    for (std::size_t n = (kPageSize << order_) / size_; n-- > 0;) {
        void** object = reinterpret_cast<void**>(memory + n * size_);
        *object = next;
        next = object;
    }
    slab->free_objects = next;
    return slab;
}

void* SlabCache::allocate() {
    SpinGuard guard(lock_);
    Frame* slab = partial_.front();
    if (!slab) {
        slab = grow();
        if (!slab)
            return nullptr;
        partial_.push_front(*slab);
    } else if (slab->objects_in_use == 0) {
        empty_--;
    }
    void* object = slab->free_objects;
    slab->free_objects = *static_cast<void**>(object);
    slab->objects_in_use++;
    if (!slab->free_objects)
        List<Frame>::remove(*slab);
    return object;
}

void SlabCache::free(Frame& slab, void* object) {
    SpinGuard guard(lock_);
    if (!slab.free_objects)
        partial_.push_front(slab);
    *static_cast<void**>(object) = slab.free_objects;
    slab.free_objects = object;
    if (--slab.objects_in_use > 0)
        return;
    List<Frame>::remove(slab);
    if (empty_ == 0) {
        partial_.push_back(slab);
        empty_ = 1;
        return;
    }
    guard.unlock();
    for (unsigned i = 1; i < 1u << order_; i++)
        (&slab)[i].kind = FrameKind::FreeTail;
    slab.kind = FrameKind::Allocated;
    free_frames(address_of(slab), order_);
}

void* kernel_allocate(std::size_t size) {
    if (SlabCache* cache = cache_for(size))
        return cache->allocate();
    if (size > kPageSize << 10)
        return nullptr;
    auto block = allocate_frames(order_for(size));
    return block ? direct_map(*block) : nullptr;
}

void kernel_free(void* memory) {
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
        panic("kernel_free of {}, which was not allocated", memory);
}

}  // namespace skep::kernel

using skep::kernel::kernel_allocate;
using skep::kernel::kernel_free;

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return kernel_allocate(size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return kernel_allocate(size);
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return kernel_allocate(std::max(std::bit_ceil(size), static_cast<std::size_t>(alignment)));
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return kernel_allocate(std::max(std::bit_ceil(size), static_cast<std::size_t>(alignment)));
}
void operator delete(void* memory) noexcept {
    kernel_free(memory);
}
void operator delete[](void* memory) noexcept {
    kernel_free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    kernel_free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    kernel_free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    kernel_free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
    kernel_free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    kernel_free(memory);
}
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept {
    kernel_free(memory);
}
