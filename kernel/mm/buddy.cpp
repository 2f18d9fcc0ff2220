#include <kernel/mm/buddy.hpp>

#include <kernel/base/log.hpp>

namespace skep::kernel {

void Buddy::put(std::size_t frame, unsigned order) {
    Frame& f = frames_[frame];
    f.kind = FrameKind::Free;
    f.order = static_cast<std::uint8_t>(order);
    free_lists_[order].push_front(f);
}

void Buddy::add(std::size_t first, std::size_t end) {
    SpinGuard guard(lock_);
    total_ += end - first;
    free_ += end - first;
    while (first < end) {
        unsigned order = 0;
        while (order < kMaxOrder && first % (2u << order) == 0 && first + (2u << order) <= end)
            order++;
        free_locked(first, order);
        first += std::size_t{1} << order;
    }
}

Result<std::size_t> Buddy::allocate(unsigned order) {
    if (order > kMaxOrder)
        return fail(Errno::Inval);
    SpinGuard guard(lock_);
    unsigned from = order;
    while (free_lists_[from].empty())
        if (++from > kMaxOrder)
            return fail(Errno::NoMem);
    Frame* block = free_lists_[from].pop_front();
    const auto number = static_cast<std::size_t>(block - frames_.data());
    while (from > order) {
        from--;
        put(number + (std::size_t{1} << from), from);
    }
    block->kind = FrameKind::Allocated;
    block->order = static_cast<std::uint8_t>(order);
    block->uses.store(1, std::memory_order_relaxed);
    free_ -= std::uint64_t{1} << order;
    return number;
}

void Buddy::free_locked(std::size_t frame, unsigned order) {
    for (; order < kMaxOrder; order++) {
        const std::size_t buddy = frame ^ (std::size_t{1} << order);
        if (buddy >= frames_.size() || frames_[buddy].kind != FrameKind::Free ||
            frames_[buddy].order != order)
            break;
        List<Frame>::remove(frames_[buddy]);
        frames_[buddy].kind = FrameKind::FreeTail;
        if (buddy < frame) {
            frames_[frame].kind = FrameKind::FreeTail;
            frame = buddy;
        }
    }
    put(frame, order);
}

void Buddy::free(std::size_t frame, unsigned order) {
    SpinGuard guard(lock_);
    const Frame& f = frames_[frame];
    if (f.kind != FrameKind::Allocated || f.order != order)
        panic("free of frame {:x} order {}: it is of kind {} order {}", frame, order,
              static_cast<unsigned>(f.kind), f.order);
    free_ += std::uint64_t{1} << order;
    free_locked(frame, order);
}

}  // namespace skep::kernel
