#include <guestdev/core/bus.hpp>

#include <algorithm>

namespace skep::guestdev {

bool Bus::claim(std::uint64_t base, std::uint64_t size, BusHandler& handler) {
    if (size == 0 || base + size - 1 < base)
        return false;
    auto next = std::ranges::lower_bound(ranges_, base, {}, &Range::base);
    if (next != ranges_.end() && next->base - base < size)
        return false;
    if (next != ranges_.begin() && base - std::prev(next)->base < std::prev(next)->size)
        return false;
    ranges_.insert(next, Range{base, size, &handler});
    return true;
}

void Bus::release(std::uint64_t base) {
    std::erase_if(ranges_, [base](const Range& range) { return range.base == base; });
}

const Bus::Range* Bus::find(std::uint64_t address) const {
    auto next = std::ranges::upper_bound(ranges_, address, {}, &Range::base);
    if (next == ranges_.begin())
        return nullptr;
    const Range& range = *std::prev(next);
    return address - range.base < range.size ? &range : nullptr;
}

std::uint64_t Bus::read(std::uint64_t address, unsigned size) {
    const Range* range = find(address);
    if (range && size <= range->size - (address - range->base) && range->handler->accepts(size))
        return range->handler->read(address - range->base, size) & all_ones(size);
    std::uint64_t value = 0;
    for (unsigned i = 0; i < size; i++) {
        const Range* part = find(address + i);
        std::uint64_t byte = 0xff;
        if (part && part->handler->accepts(1))
            byte = part->handler->read(address + i - part->base, 1) & 0xff;
        value |= byte << (i * 8);
    }
    return value;
}

void Bus::write(std::uint64_t address, unsigned size, std::uint64_t value) {
    value &= all_ones(size);
    const Range* range = find(address);
    if (range && size <= range->size - (address - range->base) && range->handler->accepts(size)) {
        range->handler->write(address - range->base, size, value);
        return;
    }
    for (unsigned i = 0; i < size; i++) {
        // Looked up each time: a write may change the ranges (PCI BARs).
        const Range* part = find(address + i);
        if (part && part->handler->accepts(1))
            part->handler->write(address + i - part->base, 1, value >> (i * 8) & 0xff);
    }
}

}  // namespace skep::guestdev
