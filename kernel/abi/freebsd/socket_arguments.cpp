#include <kernel/abi/freebsd/socket_arguments.hpp>

#include <kernel/abi/socket_options.hpp>

#include <algorithm>
#include <limits>

namespace skep::kernel::freebsd_abi {

namespace {

constexpr std::size_t kHeader = 2;  // sa_len, sa_family
struct FamilyRow {
    Family family;
    std::uint8_t least, most;  // bytes after the header
    std::uint8_t whole;        // of a complete address; 0: as many as there are
};
constexpr FamilyRow kFamilies[] = {
    {Family::Unspecified, 0, kAddressMax - kHeader, 0},
    {Family::Unix, 0, 104, 0},
    {Family::Inet, 14, kAddressMax - kHeader, 14},
    {Family::Inet6, 26, kAddressMax - kHeader, 26},
};

using abi::OptionKind;
constexpr abi::OptionRow kOptions[] = {
    {kSolSocket, 0x2, SocketOption::AcceptConnections},
    {kSolSocket, 0x4, SocketOption::ReuseAddress},
    {kSolSocket, 0x8, SocketOption::KeepAlive},
    {kSolSocket, 0x10, SocketOption::DontRoute},
    {kSolSocket, 0x20, SocketOption::Broadcast},
    {kSolSocket, 0x80, SocketOption::Linger, OptionKind::Linger},
    {kSolSocket, 0x100, SocketOption::OutOfBandInline},
    {kSolSocket, 0x200, SocketOption::ReusePort},
    {kSolSocket, 0x400, SocketOption::Timestamp},
    {kSolSocket, 0x1001, SocketOption::SendBuffer},
    {kSolSocket, 0x1002, SocketOption::ReceiveBuffer},
    {kSolSocket, 0x1004, SocketOption::ReceiveLowWater},
    {kSolSocket, 0x1005, SocketOption::SendTimeout, OptionKind::PositiveTimeout},
    {kSolSocket, 0x1006, SocketOption::ReceiveTimeout, OptionKind::PositiveTimeout},
    {kSolSocket, 0x10000, SocketOption::ReusePort},  // SO_REUSEPORT_LB
    {kSolTcp, 1, SocketOption::TcpNoDelay},
    {kSolTcp, 2, SocketOption::TcpMaxSegment},
    {kSolTcp, 4, SocketOption::TcpCork},  // TCP_NOPUSH
    {kSolTcp, 256, SocketOption::TcpKeepIdle},
    {kSolTcp, 512, SocketOption::TcpKeepInterval},
    {kSolTcp, 1024, SocketOption::TcpKeepCount},
    {kSolIp, 3, SocketOption::IpTypeOfService},
    {kSolIp, 4, SocketOption::IpTimeToLive},
    {kSolIp, 7, SocketOption::IpReceiveDestination},
    {kSolIp, 10, SocketOption::IpMulticastTtl},
    {kSolIp, 11, SocketOption::IpMulticastLoop},
    {kSolIpv6, 4, SocketOption::Ipv6UnicastHops},
    {kSolIpv6, 27, SocketOption::Ipv6Only},
    {kSolIpv6, 36, SocketOption::Ipv6ReceivePacketInfo},
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

const FamilyRow* find_family(std::uint64_t number) {
    const auto* row = std::ranges::find_if(kFamilies, [&](const FamilyRow& r) {
        return static_cast<std::uint64_t>(r.family) == number;
    });
    return row == std::end(kFamilies) ? nullptr : row;
}

}  // namespace

Result<Family> family_argument(std::uint64_t number) {
    const FamilyRow* row = find_family(static_cast<std::uint32_t>(number));
    if (!row || row->family == Family::Unspecified)
        return fail(Errno::AfNoSupport);
    return row->family;
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
            return fail(Errno::ProtoType);
    }
}

Result<SocketAddress> from_sockaddr(std::span<const std::uint8_t> from) {
    if (from.size() < kHeader)
        return fail(Errno::Inval);
    const FamilyRow* row = find_family(from[1]);
    if (!row)
        return fail(Errno::AfNoSupport);
    const std::span<const std::uint8_t> data = from.subspan(kHeader);
    if (data.size() < row->least)
        return fail(Errno::Inval);
    if (row->family == Family::Unix && data.size() > row->most)
        return fail(Errno::NameTooLong);
    SocketAddress address{.family = row->family};
    address.size = static_cast<std::uint8_t>(
        row->whole ? row->whole : std::min(data.size(), address.data.size()));
    std::ranges::copy(data.first(address.size), address.data.begin());
    if (row->family == Family::Unix)  // a path: up to its end
        address.size = static_cast<std::uint8_t>(
            std::find(address.data.begin(), address.data.begin() + address.size, 0) -
            address.data.begin());
    return address;
}

std::uint32_t to_sockaddr(const SocketAddress& address, std::span<std::uint8_t, kAddressMax> to) {
    std::ranges::fill(to, std::uint8_t{0});
    std::size_t size = std::min<std::size_t>(kHeader + address.size, kAddressMax);
    std::copy_n(address.data.begin(), size - kHeader, to.begin() + kHeader);
    if (address.family == Family::Unix)
        size = std::max<std::size_t>(size + (address.size ? 1 : 0),
                                     16);  // a path has its NUL, none is a whole sockaddr
    to[0] = static_cast<std::uint8_t>(size);
    to[1] = static_cast<std::uint8_t>(address.family);
    return static_cast<std::uint32_t>(size);
}

Result<SocketAddress> address_argument(UserAddr from, std::uint64_t size) {
    std::uint8_t bytes[kAddressMax];
    if (static_cast<std::int32_t>(size) < 0)
        return fail(Errno::Inval);
    if (size > sizeof bytes)
        return fail(Errno::NameTooLong);
    SKEP_TRY(copy_in(bytes, from, size));
    return from_sockaddr({bytes, size});
}

Result<std::uint32_t> put_address_bounded(UserAddr to, std::uint32_t capacity,
                                          const SocketAddress& address) {
    std::uint8_t bytes[kAddressMax];
    const std::uint32_t size = to_sockaddr(address, bytes);
    SKEP_TRY(copy_out(to, bytes, std::min(size, capacity)));
    return std::min(size, capacity);
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
    if (level == kSolSocket && name == kSoNoSigPipe) {
        const bool on = SKEP_TRY(copy_in<std::int32_t>(value));
        socket.set_flags(on ? socket.flags() | kFileNoPipeSignal
                            : socket.flags() & ~kFileNoPipeSignal);
        return {};
    }
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
                return put_number(static_cast<int>(socket.family()));
            case kSoProtocol:
                return put_number(socket.protocol());
            case kSoError:
                return put_number(SKEP_TRY(socket.option(SocketOption::Error)));
            case kSoNoSigPipe:
                return put_number(socket.flags() & kFileNoPipeSignal ? 1 : 0);
            case kSoListenQueueLimit:
            case kSoListenQueueLength:
                return put_number(0);
            default:
                break;
        }
    }
    if (level == kSolLocal && name == kLocalPeerCredentials && socket.family() == Family::Unix) {
        const PeerCredentials peer = SKEP_TRY(socket.peer_credentials());
        UserCredentials shown{};
        shown.user = peer.user;
        shown.group_count = 1;
        shown.groups[0] = peer.group;
        shown.process = static_cast<std::uint64_t>(peer.process);
        return abi::put_option(value, size_address, &shown, sizeof shown);
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

std::uint32_t bsd_message_flags(MessageFlags flags) {
    std::uint32_t result = 0;
    for (const FlagPair& pair : kResultFlags)
        if (flags & pair.ours)
            result |= pair.theirs;
    return result;
}

}  // namespace skep::kernel::freebsd_abi
