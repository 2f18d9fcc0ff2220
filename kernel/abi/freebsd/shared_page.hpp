// The page that FreeBSD shows to every program at the end of its address space: code that calls
// signal handlers.
#pragma once

#include <kernel/mm/layout.hpp>
#include <kernel/mm/vm_map.hpp>

namespace skep::kernel::freebsd_abi {

inline constexpr std::uint64_t kSharedPageAddress = kUserEnd - kPageSize;
inline constexpr std::uint64_t kSharedPageTrampoline = kSharedPageAddress;
inline constexpr std::uint64_t kTrampolineSize = 21;
// AT_PAGESIZES: an array of the page sizes there are, smallest first.
inline constexpr std::uint64_t kSharedPageSizes = kSharedPageAddress + 64;
inline constexpr std::uint64_t kPageSizesLength = 16;

// At boot: makes the page. NoMem.
Result<> init_shared_page();
// Into a new program's address space.
Result<> map_shared_page(VmMap& map);

}  // namespace skep::kernel::freebsd_abi
