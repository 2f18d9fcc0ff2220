// The CPUID table of a guest: a stable set of features, cut to what this host has, and the leaves
// by which a guest knows that it is one.
#pragma once

#include <guestdev/core/error.hpp>

#include <hv/abi/hypercall.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace skep::guestdev {

struct CpuidInput {
    std::span<const abi::CpuidEntry> supported;
    std::uint64_t xcr0_supported;
    unsigned vcpus;
};

// For a new guest. Sorted by leaf and subleaf.
std::vector<abi::CpuidEntry> make_cpuid(const CpuidInput& input);

// Whether a guest that was made with `wanted` can run where `supported` holds. Missing features are
// refused by name.
Status check_cpuid(std::span<const abi::CpuidEntry> wanted, const CpuidInput& here);

}  // namespace skep::guestdev
