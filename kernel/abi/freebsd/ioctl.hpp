// ioctl as FreeBSD programs call it: what is common to descriptors and terminals is handled here,
// the rest goes to the file as it is. sys/filio.h, sys/ttycom.h, sys/sockio.h.
#pragma once

#include <kernel/vfs/file.hpp>

namespace skep::kernel::freebsd_abi {

Result<std::uint64_t> file_ioctl(File& file, std::uint32_t descriptor, std::uint32_t request,
                                 UserAddr argument);

}  // namespace skep::kernel::freebsd_abi
