// The checksum of memory and blocks: order matters, every bit of the data reaches it.
#pragma once

#include <cstdint>
#include <span>

namespace skep::guest {

inline uint64_t checksum(std::span<const uint64_t> words) {
    uint64_t sum = 0xcbf29ce484222325u;
    for (const uint64_t word : words) {
        sum = (sum ^ word) * 0x9fb21c651e98df25u;
    }
    return sum ^ sum >> 32;
}

}  // namespace skep::guest
