// null, zero, full, random, urandom.
#pragma once

#include <kernel/base/errno.hpp>

namespace skep::kernel {

Result<> register_memory_devices();

}  // namespace skep::kernel
