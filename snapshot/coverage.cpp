#include <snapshot/coverage.hpp>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <iterator>

namespace skep::snapshot {
namespace {

std::string hex(std::uint64_t value) {
    char text[24];
    std::snprintf(text, sizeof(text), "0x%" PRIx64, value);
    return text;
}

}  // namespace

Status Coverage::take(std::uint64_t start, std::uint64_t size) {
    if (size == 0 || start % kPageSize != 0 || size % kPageSize != 0)
        return fail(ErrorCode::Malformed, what_ + ": " + std::to_string(size) + " bytes at " +
                                              hex(start) + " are not whole pages");
    const bool inside = std::ranges::any_of(expected_, [&](const auto& range) {
        return start >= range.first && start - range.first < range.second &&
               size <= range.second - (start - range.first);
    });
    if (!inside)
        return fail(ErrorCode::Malformed,
                    what_ + " has no range of " + std::to_string(size) + " bytes at " + hex(start));
    std::uint64_t end = start + size;
    auto next = taken_.lower_bound(start);
    if (next != taken_.end() && next->first < end)
        return fail(ErrorCode::Duplicate, what_ + " at " + hex(next->first));
    const auto previous = next == taken_.begin() ? taken_.end() : std::prev(next);
    if (previous != taken_.end() && previous->second > start)
        return fail(ErrorCode::Duplicate, what_ + " at " + hex(start));

    if (next != taken_.end() && next->first == end) {
        end = next->second;
        next = taken_.erase(next);
    }
    if (previous != taken_.end() && previous->second == start)
        previous->second = end;
    else
        taken_.emplace_hint(next, start, end);
    return {};
}

Status Coverage::complete() const {
    for (const auto& [start, size] : expected_) {
        std::uint64_t covered = start;
        // Neighbouring expected ranges may have merged into one taken range.
        auto range = taken_.upper_bound(start);
        if (range != taken_.begin())
            covered = std::max(covered, std::prev(range)->second);
        if (covered < start + size)
            return fail(ErrorCode::Missing, what_ + " at " + hex(covered));
    }
    return {};
}

}  // namespace skep::snapshot
