// The signal mask of ppoll, pselect6 and epoll_pwait.
#pragma once

#include <kernel/mm/user.hpp>

namespace skep::kernel::linux_abi {

// The mask at `address` (0: none) counts until the call has ended and its signals are delivered.
// Inval: wrong size. Implemented with the other signal calls.
Result<> use_signal_mask(UserAddr address, std::uint64_t size);

}  // namespace skep::kernel::linux_abi
