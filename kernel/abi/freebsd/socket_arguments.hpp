// Between FreeBSD's socket addresses, options and messages and the kernel's.
#pragma once

#include <kernel/abi/freebsd/socket_types.hpp>
#include <kernel/ipc/socket.hpp>

#include <span>

namespace skep::kernel::freebsd_abi {

Result<Family> family_argument(std::uint64_t family);
Result<SocketType> type_argument(std::uint64_t type);  // without SOCK_NONBLOCK and SOCK_CLOEXEC

inline constexpr std::uint32_t kAddressMax = 128;  // sockaddr_storage
// A sockaddr: its length (which may be 0: then the span's), its family, then the family's own.
// Inval, AfNoSupport, NameTooLong.
Result<SocketAddress> from_sockaddr(std::span<const std::uint8_t> sockaddr);
// -> its size.
std::uint32_t to_sockaddr(const SocketAddress&, std::span<std::uint8_t, kAddressMax> sockaddr);

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

MessageFlags message_flags(std::uint32_t bsd_flags);
std::uint32_t bsd_message_flags(MessageFlags);

}  // namespace skep::kernel::freebsd_abi
