// From the arguments of Linux calls to kernel objects: what is Linux's own.
#pragma once

#include <kernel/abi/arguments.hpp>
#include <kernel/abi/linux/file_types.hpp>

namespace skep::kernel::linux_abi {

using namespace abi;

// A descriptor argument that stands for the working directory.
inline constexpr std::uint64_t kCwd = static_cast<std::uint64_t>(kAtFdCwd);

std::uint64_t encode_device(std::uint64_t number);  // as st_dev and st_rdev hold it
std::uint64_t decode_device(std::uint64_t encoded);
constexpr Timespec to_timespec(FileTime time) {
    std::int64_t seconds = time / 1'000'000'000, rest = time % 1'000'000'000;
    if (rest < 0)
        seconds--, rest += 1'000'000'000;
    return {seconds, rest};
}
// Inval unless 0 <= nanoseconds < 10^9.
Result<std::int64_t> from_timespec(const Timespec&);

// File's flags from O_*, and back.
std::uint32_t file_flags(std::uint32_t open_flags);
std::uint32_t open_flags(std::uint32_t file_flags);

}  // namespace skep::kernel::linux_abi
