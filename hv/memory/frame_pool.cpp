#include "hv/memory/frame_pool.hpp"

#include <cstring>

namespace skep::hv {

void FramePool::init(Hpa base, u8* memory, u64 frames) {
    base_ = base;
    memory_ = memory;
    frames_ = available_ = frames < kMaxFrames ? frames : kMaxFrames;
}

std::optional<Hpa> FramePool::allocate(u64 count) {
    u64 start = 0;
    {
        auto guard = lock_.lock();
        if (count == 0 || available_ < count)
            return std::nullopt;
        u64 run = 0, at = next_;
        // Twice around: a run may begin anywhere, but never wraps.
        for (u64 seen = 0; seen < 2 * frames_ && run < count; ++seen) {
            if (at == frames_) {
                at = 0;
                run = 0;
            }
            run = taken(at) ? 0 : run + 1;
            ++at;
        }
        if (run < count)
            return std::nullopt;
        start = at - count;
        for (u64 i = 0; i < count; ++i)
            flip(start + i);
        available_ -= count;
        next_ = at;
    }
    std::memset(memory_ + start * kPageSize, 0, count * kPageSize);
    return base_ + start * kPageSize;
}

void FramePool::free(Hpa base, u64 count) {
    auto guard = lock_.lock();
    const u64 start = (base.value - base_.value) / kPageSize;
    for (u64 i = 0; i < count; ++i)
        flip(start + i);
    available_ += count;
}

}  // namespace skep::hv
