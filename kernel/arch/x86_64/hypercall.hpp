// Calls to hv, where there is one (hv/abi/hypercall.hpp).
#pragma once

#include <hv/abi/hypercall.hpp>

#include <cstdint>

namespace skep::kernel {

// Looks for hv; fills host_info. Before any other use.
void init_hypercalls();
bool under_hv();
const abi::HostInfo& host_info();

// -> the result as hv returns it: >= 0, or a negated abi::Error (NoCall without hv).
std::int64_t hypercall(abi::Hypercall call, std::uint64_t a0 = 0, std::uint64_t a1 = 0,
                       std::uint64_t a2 = 0, std::uint64_t a3 = 0, std::uint64_t a4 = 0,
                       std::uint64_t a5 = 0);

}  // namespace skep::kernel
