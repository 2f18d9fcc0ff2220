// hv's own memory: 4 KiB frames between the image's end and 48 MiB, handed out zeroed.
//
// A bitmap with a rotating start; runs of several frames are for the few structures that hardware
// wants contiguous. Its lock is innermost but for the log's.
#pragma once

#include "hv/lib/spinlock.hpp"
#include "hv/memory/address.hpp"

#include <array>
#include <new>
#include <optional>
#include <utility>

namespace skep::hv {

class FramePool {
  public:
    // `base` is page aligned and mapped at `memory`.
    void init(Hpa base, u8* memory, u64 frames);

    std::optional<Hpa> allocate(u64 frames = 1);
    void free(Hpa base, u64 frames = 1);

    u64 total() const { return frames_; }
    u64 available() const { return available_; }

    // An object on frames of its own; nullptr if there are none.
    template <class T, class... Arguments>
    T* create(Arguments&&... arguments) {
        const auto frame = allocate(frames_of<T>());
        return frame ? new (memory_ + (frame->value - base_.value))
                           T(std::forward<Arguments>(arguments)...)
                     : nullptr;
    }
    template <class T>
    void destroy(T* object) {
        object->~T();
        free(base_ + static_cast<u64>(reinterpret_cast<u8*>(object) - memory_), frames_of<T>());
    }
    // The address of an object or frame of this pool.
    void* at(Hpa frame) { return memory_ + (frame.value - base_.value); }

  private:
    template <class T>
    static constexpr u64 frames_of() {
        return (sizeof(T) + kPageSize - 1) / kPageSize;
    }
    static constexpr u64 kMaxFrames = 4096;

    bool taken(u64 frame) const { return (bitmap_[frame / 64] >> frame % 64 & 1) != 0; }
    void flip(u64 frame) { bitmap_[frame / 64] ^= u64{1} << frame % 64; }

    Spinlock lock_;
    Hpa base_;
    u8* memory_ = nullptr;
    u64 frames_ = 0, available_ = 0, next_ = 0;
    std::array<u64, kMaxFrames / 64> bitmap_{};
};

FramePool& pool();

}  // namespace skep::hv
