// Page tables on frames of hv's pool.
#pragma once

#include "hv/memory/frame_pool.hpp"
#include "hv/memory/page_table.hpp"

namespace skep::hv {

class PoolMemory {
  public:
    explicit constexpr PoolMemory(u64 kept = FramePool::kReserve) : kept_(kept) {}
    std::optional<Hpa> allocate() { return pool().allocate(1, kept_); }
    void free(Hpa frame) { pool().free(frame); }
    u64* entries(Hpa frame) const { return static_cast<u64*>(pool().at(frame)); }

  private:
    u64 kept_;
};

inline PoolMemory& pool_memory() {
    static constinit PoolMemory memory;
    return memory;
}

using Tables = PageTable<PoolMemory>;

}  // namespace skep::hv
