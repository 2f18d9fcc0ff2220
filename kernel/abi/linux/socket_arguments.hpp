// Between Linux's socket addresses, options and messages and the kernel's.
#pragma once

#include <kernel/abi/linux/socket_types.hpp>
#include <kernel/ipc/socket.hpp>

namespace skep::kernel::linux_abi {

Result<Family> family_argument(std::uint64_t family);
std::uint16_t family_number(Family);
Result<SocketType> type_argument(std::uint64_t type);  // without SOCK_NONBLOCK and SOCK_CLOEXEC

// A sockaddr of `size` bytes. Inval: no such size, AfNoSupport.
Result<SocketAddress> address_argument(UserAddr from, std::uint64_t size);
// Writes at most *size_address bytes of it, and its real size to size_address; nothing if `to` is
// null.
Result<> put_address(UserAddr to, UserAddr size_address, const SocketAddress&);
// -> the size it has.
Result<std::uint32_t> put_address_bounded(UserAddr to, std::uint32_t capacity,
                                          const SocketAddress&);

Result<> set_socket_option(Socket&, std::int32_t level, std::int32_t name, UserAddr value,
                           std::uint32_t size);
Result<> get_socket_option(Socket&, std::int32_t level, std::int32_t name, UserAddr value,
                           UserAddr size_address);

MessageFlags message_flags(std::uint32_t linux_flags);
std::uint32_t linux_message_flags(MessageFlags);

}  // namespace skep::kernel::linux_abi
