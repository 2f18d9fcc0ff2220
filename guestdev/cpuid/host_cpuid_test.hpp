// A processor that has everything.
#pragma once

#include <hv/abi/hypercall.hpp>

#include <vector>

namespace skep::guestdev {

inline std::vector<abi::CpuidEntry> host_cpuid() {
    std::vector<abi::CpuidEntry> entries;
    for (std::uint32_t leaf : {0u, 1u, 2u, 7u, 0xdu, 0x8000'0000u, 0x8000'0001u, 0x8000'0002u,
                               0x8000'0007u, 0x8000'0008u})
        entries.push_back({leaf, 0, leaf == 7 || leaf == 0xd, ~0u, ~0u, ~0u, ~0u, 0});
    entries.push_back({0xd, 1, 1, ~0u, 0, 0, 0, 0});
    return entries;
}

}  // namespace skep::guestdev
