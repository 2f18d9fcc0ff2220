// mmap, where both personalities agree.
#pragma once

#include <kernel/mm/vm_map.hpp>
#include <kernel/vfs/file.hpp>

namespace skep::kernel::abi {

// Maps `file` from `offset` on, or zeros if `file` is null, as `request` says (its object and
// offset are filled in here). -> address. Acces: the file is not open for it.
Result<std::uint64_t> map_memory(MapRequest request, const Ref<File>& file, std::uint64_t offset);

// mincore: a byte per page at `to`, `present` or 0.
Result<> report_residence(std::uint64_t address, std::uint64_t size, UserAddr to,
                          std::uint8_t present);

}  // namespace skep::kernel::abi
