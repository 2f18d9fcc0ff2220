// Which pages of RAM or of a disk were seen: each must be there exactly once.
#pragma once

#include <snapshot/error.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace skep::snapshot {

inline constexpr std::uint64_t kPageSize = 4096;

// Addresses and sizes are in bytes, multiples of kPageSize. Memory use grows with the number of
// gaps between the ranges taken, hence with the records really read, not with the sizes they claim.
class Coverage {
  public:
    // `what` names the space in errors: "RAM", "disk root".
    explicit Coverage(std::string what) : what_(std::move(what)) {}

    // A range that must be covered. Ascending and disjoint.
    void expect(std::uint64_t start, std::uint64_t size) { expected_.emplace_back(start, size); }

    // Malformed if it is not within one expected range, Duplicate if a part of it was taken before.
    Status take(std::uint64_t start, std::uint64_t size);

    // Missing, naming the first gap.
    Status complete() const;

  private:
    std::string what_;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> expected_;  // start, size
    std::map<std::uint64_t, std::uint64_t> taken_;                   // start, end; merged
};

}  // namespace skep::snapshot
