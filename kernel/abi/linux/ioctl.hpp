// ioctl as Linux programs call it: what is common to descriptors and terminals is translated here,
// the rest goes to the file as it is.
#pragma once

#include <kernel/vfs/file.hpp>

namespace skep::kernel::linux_abi {

Result<std::uint64_t> file_ioctl(File& file, std::uint32_t descriptor, std::uint32_t request,
                                 UserAddr argument);

}  // namespace skep::kernel::linux_abi
