// Between the sockets' addresses and lwIP's.
#pragma once

#include <kernel/ipc/socket.hpp>

#include <lwip/err.h>
#include <lwip/ip_addr.h>

namespace skep::kernel {

// An address and a port (host order). On an IPv6 socket the address of an IPv4 peer is written as
// an IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2); in here it is plain IPv4.
struct Endpoint {
    ip_addr_t address{};
    std::uint16_t port = 0;
};

// AfNoSupport: not of the socket's family. Inval: too short. NetUnreach: IPv4-mapped, but
// `ipv6_only`.
Result<Endpoint> to_endpoint(const SocketAddress&, Family socket_family, bool ipv6_only);
SocketAddress to_socket_address(const Endpoint&, Family socket_family);

// Whether a socket may be bound to it: any, loopback, multicast or an address of an interface. With
// the stack's lock held.
bool is_local_address(const ip_addr_t&);

Errno to_errno(err_t);

}  // namespace skep::kernel
