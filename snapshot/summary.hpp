// What a snapshot amounts to, in figures.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace skep::snapshot {

struct Summary {
    std::uint64_t file_bytes = 0;
    std::uint64_t records = 0;                           // trailer included
    std::map<std::string, std::uint64_t> bytes_by_kind;  // frames included
    std::uint64_t ram_bytes = 0;                         // of the guest
    std::uint64_t ram_zero_bytes = 0;                    // elided
    std::uint64_t disk_bytes = 0;                        // of all copied disks
    std::uint64_t disk_zero_bytes = 0;
    std::array<std::byte, 16> digest =
        {};  // XXH3-128 of everything before the trailer, canonical (big endian)
};

}  // namespace skep::snapshot
