#include "hv/memory/frame_pool.hpp"

#include <algorithm>
#include <cstring>

namespace skep::hv {

void FramePool::init(Hpa base, u8* memory, u64 frames) {
    base_ = base;
    memory_ = memory;
    for (u64 done = 0; done < frames; done += kChunkFrames)
        put(base + done * kPageSize, std::min(frames - done, kChunkFrames), false);
}

bool FramePool::put(Hpa base, u64 frames, bool added) {
    auto guard = lock_.lock();
    const auto place = std::find_if(chunks_.begin(), chunks_.end(),
                                    [](const Chunk& chunk) { return chunk.frames == 0; });
    if (place == chunks_.end())
        return false;
    *place = {.base = base,
              .frames = static_cast<u32>(frames),
              .free = static_cast<u32>(frames),
              .added = added};
    used_ = std::max(used_, static_cast<unsigned>(place - chunks_.begin()) + 1);
    total_ += frames;
    available_ += frames;
    return true;
}

std::optional<Hpa> FramePool::Chunk::take(u64 count) {
    if (free < count)
        return std::nullopt;
    u64 run = 0, at = next;
    // Twice around: a run may begin anywhere, but never wraps.
    for (u64 seen = 0; seen < 2 * frames && run < count; ++seen) {
        if (at == frames) {
            at = 0;
            run = 0;
        }
        run = taken(at) ? 0 : run + 1;
        ++at;
    }
    if (run < count)
        return std::nullopt;
    for (u64 i = at - count; i < at; ++i)
        flip(i);
    free -= static_cast<u32>(count);
    next = static_cast<u32>(at);
    return base + (at - count) * kPageSize;
}

std::optional<Hpa> FramePool::allocate(u64 count, u64 kept) {
    std::optional<Hpa> found;
    {
        auto guard = lock_.lock();
        if (count == 0 || count > available_ || available_ - count < kept)
            return std::nullopt;
        for (unsigned i = 0; i < used_ && !found; ++i)
            found = chunks_[i].take(count);
        if (!found)
            return std::nullopt;
        available_ -= count;
    }
    std::memset(at(*found), 0, count * kPageSize);
    return found;
}

void FramePool::free(Hpa base, u64 count) {
    auto guard = lock_.lock();
    Chunk& chunk =
        *std::find_if(chunks_.begin(), chunks_.begin() + used_, [&](const Chunk& candidate) {
            return base.value - candidate.base.value < candidate.frames * kPageSize;
        });
    const u64 start = (base.value - chunk.base.value) / kPageSize;
    for (u64 i = 0; i < count; ++i)
        chunk.flip(start + i);
    chunk.free += static_cast<u32>(count);
    available_ += count;
}

bool FramePool::add(Hpa base) {
    return put(base, kChunkFrames, true);
}

std::optional<Hpa> FramePool::take_unused() {
    Hpa base;
    {
        auto guard = lock_.lock();
        const auto chunk =
            std::find_if(chunks_.begin(), chunks_.begin() + used_, [](const Chunk& candidate) {
                return candidate.added && candidate.frames != 0 &&
                       candidate.free == candidate.frames;
            });
        if (chunk == chunks_.begin() + used_ || available_ < kChunkFrames + kReserve)
            return std::nullopt;
        base = chunk->base;
        *chunk = {};
        total_ -= kChunkFrames;
        available_ -= kChunkFrames;
    }
    std::memset(at(base), 0, kChunkFrames * kPageSize);
    return base;
}

}  // namespace skep::hv
