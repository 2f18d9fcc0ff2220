// The CPUID leaves that guests can have on this machine.
#pragma once

#include <kernel/mm/user.hpp>

namespace skep::kernel::vmm {

// VMM_SUPPORTED_CPUID.
Result<> copy_supported_cpuid(UserAddr argument);

}  // namespace skep::kernel::vmm
