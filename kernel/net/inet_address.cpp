#include <kernel/net/inet_address.hpp>

#include <lwip/def.h>
#include <lwip/netif.h>

#include <cstring>

namespace skep::kernel {

namespace {

// SocketAddress::data of each family.
constexpr std::size_t kInetPort = 0, kInetAddress = 2, kInetSize = 14, kInetLeast = 6;
constexpr std::size_t kInet6Port = 0, kInet6Address = 6, kInet6Scope = 22, kInet6Size = 26,
                      kInet6Least = 22;

template <typename T>
T load(const SocketAddress& from, std::size_t offset) {
    T value;
    std::memcpy(&value, from.data.data() + offset, sizeof value);
    return value;
}

template <typename T>
void store(SocketAddress& to, std::size_t offset, T value) {
    std::memcpy(to.data.data() + offset, &value, sizeof value);
}

Endpoint from_inet(const SocketAddress& from) {
    Endpoint endpoint;
    endpoint.port = lwip_ntohs(load<std::uint16_t>(from, kInetPort));
    ip_addr_set_ip4_u32_val(endpoint.address, load<std::uint32_t>(from, kInetAddress));
    return endpoint;
}

Result<Endpoint> from_inet6(const SocketAddress& from, bool ipv6_only) {
    Endpoint endpoint;
    endpoint.port = lwip_ntohs(load<std::uint16_t>(from, kInet6Port));
    ip6_addr_t address{};
    std::memcpy(address.addr, from.data.data() + kInet6Address, sizeof address.addr);
    if (ip6_addr_isipv4mappedipv6(&address)) {
        if (ipv6_only)
            return fail(Errno::NetUnreach);
        ip_addr_set_ip4_u32_val(endpoint.address, address.addr[3]);
        return endpoint;
    }
    // The scope is the number of an interface, for addresses that need one (RFC 4007).
    if (ip6_addr_has_scope(&address, IP6_UNKNOWN) && from.size >= kInet6Size)
        ip6_addr_set_zone(&address, static_cast<u8_t>(load<std::uint32_t>(from, kInet6Scope)));
    ip_addr_copy_from_ip6(endpoint.address, address);
    return endpoint;
}

}  // namespace

Result<Endpoint> to_endpoint(const SocketAddress& from, Family socket_family, bool ipv6_only) {
    if (from.family != socket_family)
        return fail(Errno::AfNoSupport);
    if (from.size < (socket_family == Family::Inet ? kInetLeast : kInet6Least))
        return fail(Errno::Inval);
    return socket_family == Family::Inet ? from_inet(from) : from_inet6(from, ipv6_only);
}

SocketAddress to_socket_address(const Endpoint& from, Family socket_family) {
    SocketAddress to;
    to.family = socket_family;
    if (socket_family == Family::Inet) {
        to.size = kInetSize;
        store(to, kInetPort, lwip_htons(from.port));
        if (IP_IS_V4_VAL(from.address))
            store(to, kInetAddress, ip_addr_get_ip4_u32(&from.address));
        return to;
    }
    to.size = kInet6Size;
    store(to, kInet6Port, lwip_htons(from.port));
    ip6_addr_t address{};
    if (IP_IS_V6_VAL(from.address)) {
        address = *ip_2_ip6(&from.address);
    } else if (IP_IS_V4_VAL(from.address) && from.port != 0) {
        ip4_2_ipv4_mapped_ipv6(&address, ip_2_ip4(&from.address));
    }
    std::memcpy(to.data.data() + kInet6Address, address.addr, sizeof address.addr);
    store(to, kInet6Scope, std::uint32_t{ip6_addr_zone(&address)});
    return to;
}

bool is_local_address(const ip_addr_t& address) {
    if (ip_addr_isany_val(address))
        return true;
    const ip4_addr_t& ipv4 = *ip_2_ip4(&address);
    const ip6_addr_t& ipv6 = *ip_2_ip6(&address);
    const bool is_ipv6 = IP_IS_V6_VAL(address);
    if (is_ipv6 ? ip6_addr_isloopback(&ipv6) || ip6_addr_ismulticast(&ipv6)
                : ip4_addr_isloopback(&ipv4) || ip4_addr_ismulticast(&ipv4))
        return true;
    netif* interface;
    NETIF_FOREACH(interface) {
        if (is_ipv6 ? netif_get_ip6_addr_match(interface, &ipv6) >= 0
                    : ip4_addr_cmp(&ipv4, netif_ip4_addr(interface)))
            return true;
    }
    return false;
}

Errno to_errno(err_t error) {
    switch (error) {
        case ERR_MEM:
        case ERR_BUF:
            return Errno::NoBufs;
        case ERR_TIMEOUT:
            return Errno::TimedOut;
        case ERR_RTE:
        case ERR_IF:
            return Errno::NetUnreach;
        case ERR_INPROGRESS:
            return Errno::InProgress;
        case ERR_WOULDBLOCK:
            return Errno::Again;
        case ERR_USE:
            return Errno::AddrInUse;
        case ERR_ALREADY:
            return Errno::Already;
        case ERR_ISCONN:
            return Errno::IsConn;
        case ERR_CONN:
        case ERR_CLSD:
            return Errno::NotConn;
        case ERR_ABRT:
            return Errno::ConnAborted;
        case ERR_RST:
            return Errno::ConnReset;
        default:
            return Errno::Inval;
    }
}

}  // namespace skep::kernel
