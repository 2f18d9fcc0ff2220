// hv's own memory: 4 KiB frames, handed out zeroed. It begins between the image's end and 40 MiB
// and grows by what the root domain gives (memory_give), 2 MiB at a time, which goes back when
// nothing in it is in use.
//
// A bitmap per 2 MiB with a rotating start, the first with room taken first, so that what was given
// last empties first; runs of several frames, within one, are for the few structures that hardware
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
    static constexpr u64 kChunkFrames = 512;
    // Kept for the tables of the root domain: without them it could not give more (one for each GiB
    // that it splits).
    static constexpr u64 kReserve = 8;

    // `base` is page aligned; every frame, later ones too, is mapped at `memory` + its distance
    // from `base`.
    void init(Hpa base, u8* memory, u64 frames);

    // `kept` frames stay free.
    std::optional<Hpa> allocate(u64 frames = 1, u64 kept = kReserve);
    void free(Hpa base, u64 frames = 1);

    // 2 MiB, aligned to that, of which nobody else has any. False: there is no place for more.
    bool add(Hpa base);
    // 2 MiB of those added that have no frame in use, zeroed and no longer of the pool.
    std::optional<Hpa> take_unused();

    u64 total() const { return total_; }
    u64 available() const { return available_; }

    // An object on frames of its own; nullptr if there are none.
    template <class T, class... Arguments>
    T* create(Arguments&&... arguments) {
        const auto frame = allocate(frames_of<T>());
        return frame ? new (at(*frame)) T(std::forward<Arguments>(arguments)...) : nullptr;
    }
    template <class T>
    void destroy(T* object) {
        object->~T();
        free(base_ + static_cast<u64>(reinterpret_cast<u8*>(object) - memory_), frames_of<T>());
    }
    // The address of an object or frame of this pool.
    void* at(Hpa frame) { return memory_ + (frame.value - base_.value); }

  private:
    struct Chunk {
        Hpa base{};
        u32 frames = 0, free = 0, next = 0;  // frames: 0 if there is none
        bool added = false;
        std::array<u64, kChunkFrames / 64> bitmap{};

        bool taken(u64 frame) const { return (bitmap[frame / 64] >> frame % 64 & 1) != 0; }
        void flip(u64 frame) { bitmap[frame / 64] ^= u64{1} << frame % 64; }
        std::optional<Hpa> take(u64 count);
    };
    static constexpr unsigned kMaxChunks = 256;

    template <class T>
    static constexpr u64 frames_of() {
        return (sizeof(T) + kPageSize - 1) / kPageSize;
    }
    bool put(Hpa base, u64 frames, bool added);

    Spinlock lock_;
    Hpa base_;
    u8* memory_ = nullptr;
    u64 total_ = 0, available_ = 0;
    unsigned used_ = 0;  // chunks from here on are none
    std::array<Chunk, kMaxChunks> chunks_{};
};

FramePool& pool();

}  // namespace skep::hv
