// Errors in Linux's numbers (asm-generic/errno.h).
#pragma once

#include <kernel/base/errno.hpp>

namespace skep::kernel::linux_abi {

std::uint16_t linux_errno(Errno error);

}  // namespace skep::kernel::linux_abi
