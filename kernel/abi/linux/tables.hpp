// The topics that the Linux system-call table is made of (kernel/abi/syscall.hpp).
#pragma once

#include <kernel/abi/syscall.hpp>

namespace skep::kernel::linux_abi {

std::span<const Syscall> file_calls();    // descriptors: read, write, dup, fcntl, ioctl...
std::span<const Syscall> path_calls();    // names: open, stat, rename, mount...
std::span<const Syscall> event_calls();   // poll, select, epoll, eventfd, timerfd
std::span<const Syscall> socket_calls();

}  // namespace skep::kernel::linux_abi
