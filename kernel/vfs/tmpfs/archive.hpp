// Fills a tmpfs from a cpio archive of the "newc" kind (cpio(5)).
#pragma once

#include <kernel/vfs/tmpfs/tmpfs.hpp>

#include <cstddef>
#include <span>

namespace skep::kernel {

// The archive must stay where it is: file contents are used in place. Errors: BadMsg for a damaged
// archive (with a log line that says where), NoMem.
Result<> unpack_archive(Tmpfs&, std::span<const std::byte> archive);

}  // namespace skep::kernel
