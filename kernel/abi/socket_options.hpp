// getsockopt(2) and setsockopt(2), where both personalities agree: the values. Levels and names are
// theirs.
#pragma once

#include <kernel/ipc/socket.hpp>
#include <kernel/mm/user.hpp>

namespace skep::kernel::abi {

enum class OptionKind : std::uint8_t {
    Number,
    Timeout,          // struct timeval; a negative one is none
    PositiveTimeout,  // Dom if it is negative
    Linger,           // struct linger
};
struct OptionRow {
    std::int32_t level, name;
    SocketOption option;
    OptionKind kind = OptionKind::Number;
};

// NoProtoOpt: the table has no such row.
Result<> set_socket_option(Socket&, std::span<const OptionRow>, std::int32_t level,
                           std::int32_t name, UserAddr value, std::uint32_t size);
Result<> get_socket_option(Socket&, std::span<const OptionRow>, std::int32_t level,
                           std::int32_t name, UserAddr value, UserAddr size_address);

// What getsockopt stores: as much as the caller has room for, and how much that was.
Result<> put_option(UserAddr value, UserAddr size_address, const void* data, std::uint32_t size);
Result<> put_number_option(UserAddr value, UserAddr size_address, std::int64_t number);

}  // namespace skep::kernel::abi
