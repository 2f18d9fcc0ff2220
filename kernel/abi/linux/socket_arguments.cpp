#include <kernel/abi/linux/socket_arguments.hpp>

#include <kernel/abi/linux/errno.hpp>
#include <kernel/abi/linux/file_types.hpp>
#include <kernel/abi/socket_options.hpp>

#include <algorithm>
#include <limits>

namespace skep::kernel::linux_abi {

namespace {

struct FamilyRow {
    Family family;
    std::uint16_t number;
    std::uint8_t least, most;  // bytes after sa_family
};
constexpr FamilyRow kFamilies[] = {
    {Family::Unspecified, 0, 0, 126},
    {Family::Unix, 1, 0, 108},
    {Family::Inet, 2, 14, 126},
    {Family::Inet6, 10, 22, 126},  // the scope id came later
};
constexpr std::uint8_t kInetSize = 14, kInet6Size = 26;

using abi::OptionKind;
constexpr abi::OptionRow kOptions[] = {
    {kSolSocket, 2, SocketOption::ReuseAddress},
    {kSolSocket, 5, SocketOption::DontRoute},
    {kSolSocket, 6, SocketOption::Broadcast},
    {kSolSocket, 7, SocketOption::SendBuffer},
    {kSolSocket, 8, SocketOption::ReceiveBuffer},
    {kSolSocket, 9, SocketOption::KeepAlive},
    {kSolSocket, 10, SocketOption::OutOfBandInline},
    {kSolSocket, kSoLinger, SocketOption::Linger, OptionKind::Linger},
    {kSolSocket, 15, SocketOption::ReusePort},
    {kSolSocket, 16, SocketOption::PassCredentials},
    {kSolSocket, 18, SocketOption::ReceiveLowWater},
    {kSolSocket, kSoReceiveTimeout, SocketOption::ReceiveTimeout, OptionKind::Timeout},
    {kSolSocket, kSoSendTimeout, SocketOption::SendTimeout, OptionKind::Timeout},
    {kSolSocket, 29, SocketOption::Timestamp},
    {kSolSocket, 30, SocketOption::AcceptConnections},
    {kSolSocket, 32, SocketOption::SendBuffer},     // SO_SNDBUFFORCE
    {kSolSocket, 33, SocketOption::ReceiveBuffer},  // SO_RCVBUFFORCE
    {kSolTcp, 1, SocketOption::TcpNoDelay},
    {kSolTcp, 2, SocketOption::TcpMaxSegment},
    {kSolTcp, 3, SocketOption::TcpCork},
    {kSolTcp, 4, SocketOption::TcpKeepIdle},
    {kSolTcp, 5, SocketOption::TcpKeepInterval},
    {kSolTcp, 6, SocketOption::TcpKeepCount},
    {kSolTcp, 18, SocketOption::TcpUserTimeoutMs},
    {kSolIp, 1, SocketOption::IpTypeOfService},
    {kSolIp, 2, SocketOption::IpTimeToLive},
    {kSolIp, 8, SocketOption::IpReceiveDestination},
    {kSolIp, 10, SocketOption::IpMtuDiscover},
    {kSolIp, 33, SocketOption::IpMulticastTtl},
    {kSolIp, 34, SocketOption::IpMulticastLoop},
    {kSolIpv6, 16, SocketOption::Ipv6UnicastHops},
    {kSolIpv6, 26, SocketOption::Ipv6Only},
    {kSolIpv6, 49, SocketOption::Ipv6ReceivePacketInfo},
};

struct FlagPair {
    MessageFlags ours;
    std::uint32_t theirs;
};
constexpr FlagPair kFlags[] = {
    {kMessageOutOfBand, kMsgOob},     {kMessagePeek, kMsgPeek},
    {kMessageWaitAll, kMsgWaitAll},   {kMessageDontWait, kMsgDontWait},
    {kMessageNoSignal, kMsgNoSignal}, {kMessageTruncate, kMsgTruncated},
};
constexpr FlagPair kResultFlags[] = {
    {kMessageTruncated, kMsgTruncated},
    {kMessageControlTruncated, kMsgControlTruncated},
    {kMessageEndOfRecord, kMsgEor},
    {kMessageOutOfBand, kMsgOob},
};

}  // namespace

Result<Family> family_argument(std::uint64_t family) {
    for (const FamilyRow& row : kFamilies)
        if (row.number == family && row.family != Family::Unspecified)
            return row.family;
    return fail(Errno::AfNoSupport);
}

std::uint16_t family_number(Family family) {
    for (const FamilyRow& row : kFamilies)
        if (row.family == family)
            return row.number;
    return 0;
}

Result<SocketType> type_argument(std::uint64_t type) {
    switch (type) {
        case 1:
            return SocketType::Stream;
        case 2:
            return SocketType::Datagram;
        case 3:
            return SocketType::Raw;
        case 5:
            return SocketType::SeqPacket;
        default:
            return fail(Errno::SocktNoSupport);
    }
}

Result<SocketAddress> address_argument(UserAddr from, std::uint64_t size) {
    constexpr std::uint32_t kStorage = 128;  // sockaddr_storage
    if (size < sizeof(std::uint16_t) || size > kStorage)
        return fail(Errno::Inval);
    const auto number = SKEP_TRY(copy_in<std::uint16_t>(from));
    for (const FamilyRow& row : kFamilies) {
        if (row.number != number)
            continue;
        const auto rest = static_cast<std::uint8_t>(size - sizeof number);
        if (rest < row.least || rest > row.most)
            return fail(Errno::Inval);
        SocketAddress address{.family = row.family, .size = rest};
        if (row.family == Family::Inet)
            address.size = kInetSize;
        if (row.family == Family::Inet6)
            address.size = kInet6Size;
        SKEP_TRY(copy_in(address.data.data(), from + sizeof number, std::min(rest, address.size)));
        if (row.family == Family::Unix && address.size && address.data[0])  // a path: up to its end
            address.size = static_cast<std::uint8_t>(
                std::ranges::find(address.data.begin(), address.data.begin() + address.size, 0) -
                address.data.begin());
        return address;
    }
    return fail(Errno::AfNoSupport);
}

Result<std::uint32_t> put_address_bounded(UserAddr to, std::uint32_t capacity,
                                          const SocketAddress& address) {
    std::array<std::uint8_t, 128> whole{};
    const std::uint16_t number = family_number(address.family);
    std::memcpy(whole.data(), &number, sizeof number);
    std::memcpy(whole.data() + sizeof number, address.data.data(), address.size);
    std::uint32_t size = sizeof number + address.size;
    if (address.family == Family::Unix && address.size && address.data[0])
        size++;  // a path is shown with its NUL
    SKEP_TRY(copy_out(to, whole.data(), std::min(size, capacity)));
    return size;
}

Result<> put_address(UserAddr to, UserAddr size_address, const SocketAddress& address) {
    if (!to)
        return {};
    const auto capacity = SKEP_TRY(copy_in<std::int32_t>(size_address));
    if (capacity < 0)
        return fail(Errno::Inval);
    const std::uint32_t size =
        SKEP_TRY(put_address_bounded(to, static_cast<std::uint32_t>(capacity), address));
    return copy_out(size_address, size);
}

Result<> set_socket_option(Socket& socket, std::int32_t level, std::int32_t name, UserAddr value,
                           std::uint32_t size) {
    return abi::set_socket_option(socket, kOptions, level, name, value, size);
}

Result<> get_socket_option(Socket& socket, std::int32_t level, std::int32_t name, UserAddr value,
                           UserAddr size_address) {
    auto put_number = [&](std::int64_t number) {
        return abi::put_number_option(value, size_address, number);
    };
    if (level == kSolSocket) {
        switch (name) {
            case kSoType:
                return put_number(static_cast<int>(socket.type()));
            case kSoDomain:
                return put_number(family_number(socket.family()));
            case kSoProtocol:
                return put_number(socket.protocol());
            case kSoError: {
                const auto error = static_cast<Errno>(SKEP_TRY(socket.option(SocketOption::Error)));
                return put_number(error == Errno{} ? 0 : linux_errno(error));
            }
            case kSoPeerCredentials: {
                const PeerCredentials peer = SKEP_TRY(socket.peer_credentials());
                const Ucred shown{peer.process, peer.user, peer.group};
                return abi::put_option(value, size_address, &shown, sizeof shown);
            }
            default:
                break;
        }
    }
    return abi::get_socket_option(socket, kOptions, level, name, value, size_address);
}

MessageFlags message_flags(std::uint32_t flags) {
    MessageFlags result = 0;
    for (const FlagPair& pair : kFlags)
        if (flags & pair.theirs)
            result |= pair.ours;
    return result;
}

std::uint32_t linux_message_flags(MessageFlags flags) {
    std::uint32_t result = 0;
    for (const FlagPair& pair : kResultFlags)
        if (flags & pair.ours)
            result |= pair.theirs;
    return result;
}

}  // namespace skep::kernel::linux_abi
