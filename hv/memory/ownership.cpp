#include "hv/memory/ownership.hpp"

#include <algorithm>

namespace skep::hv {

bool Ownership::add_ram(u64 base, u64 end) {
    base = align_up(base, kPageSize);
    end = align_down(end, kPageSize);
    if (base >= end)
        return true;
    // Memory maps list what touches in order: join it, so that a buffer or mapping may span both.
    for (unsigned i = 0; i < count_; ++i) {
        if (base <= ranges_[i].end && end >= ranges_[i].base) {
            ranges_[i] = {std::min(base, ranges_[i].base), std::max(end, ranges_[i].end)};
            return true;
        }
    }
    if (count_ == kMaxRanges)
        return false;
    ranges_[count_++] = {base, end};
    return true;
}

void Ownership::set_hv(Hpa base, u64 size) {
    hv_ = {base.value, base.value + size};
}

bool Ownership::root_owns(Hpa address, u64 size) const {
    const u64 start = address.value;
    if (size == 0 || size > ~start)
        return false;
    const u64 end = start + size;
    if (start < hv_.end && end > hv_.base)
        return false;
    const bool ram =
        std::any_of(ranges_.begin(), ranges_.begin() + count_,
                    [&](const Range& range) { return start >= range.base && end <= range.end; });
    const Has has = filter_.load();
    return ram && (has == nullptr || has(address, size));
}

}  // namespace skep::hv
