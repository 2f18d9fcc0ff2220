#include <kernel/mm/slab.hpp>

namespace skep::kernel {

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

}  // namespace skep::kernel
