// Who owns a frame. hv owns its own range; every other frame of RAM is the root domain's, which may
// share it with guests (vm_map), unless it was withdrawn for an isolated VM: then the root domain's
// tables lack it. What is no RAM belongs to nobody's buffers.
#pragma once

#include "hv/memory/address.hpp"

#include <array>
#include <atomic>

namespace skep::hv {

class Ownership {
  public:
    static constexpr unsigned kMaxRanges = 64;

    // Both during boot only. False: the table is full and the range stays unusable for hypercalls.
    bool add_ram(u64 base, u64 end);
    void set_hv(Hpa base, u64 size);

    // Asked as well, from when the first frame is withdrawn: has the root domain all of it?
    using Has = bool (*)(Hpa base, u64 size);
    void set_filter(Has has) { filter_.store(has); }

    // All of [address, address + size) is RAM of the root domain.
    bool root_owns(Hpa address, u64 size) const;

    template <class Visit>
    void for_each_ram_range(Visit visit) const {
        for (unsigned i = 0; i < count_; ++i)
            visit(ranges_[i].base, ranges_[i].end);
    }

  private:
    struct Range {
        u64 base, end;
    };
    std::array<Range, kMaxRanges> ranges_{};
    unsigned count_ = 0;
    Range hv_{};
    std::atomic<Has> filter_{nullptr};
};

Ownership& ownership();

}  // namespace skep::hv
