// ioctl(2), where both personalities agree: requests that have the same meaning and layouts under
// different numbers.
#pragma once

#include <kernel/dev/tty/tty.hpp>
#include <kernel/vfs/file.hpp>

#include <optional>
#include <span>

namespace skep::kernel::abi {

enum class CommonIoctl : std::uint8_t {
    CloseOnExec,
    KeepOnExec,
    NonBlocking,
    Asynchronous,
    BytesReadable,
    BytesWritable,
    // of terminals
    GiveUpControlling,
    GetGroup,
    SetGroup,
    GetSession,
    GetWindowSize,
    SetWindowSize,
};
struct IoctlRow {
    std::uint32_t request;
    CommonIoctl meaning;
};

// Nothing: the table has no such row, or it is a terminal's and the file is none.
std::optional<Result<std::uint64_t>> common_ioctl(std::span<const IoctlRow>, File&,
                                                  std::uint32_t descriptor, std::uint32_t request,
                                                  UserAddr argument);

}  // namespace skep::kernel::abi
