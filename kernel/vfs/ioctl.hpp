// The ioctl requests that the kernel shares between personalities (FreeBSD's numbers, sys/filio.h);
// others reach a File's ioctl() as the program gave them.
#pragma once

#include <cstdint>

namespace skep::kernel {

inline constexpr std::uint64_t kIoctlBytesReadable = 0x4004667f;  // FIONREAD: int out
inline constexpr std::uint64_t kIoctlBytesWritable =
    0x40046677;  // FIONWRITE / TIOCOUTQ: int out, bytes unsent

}  // namespace skep::kernel
