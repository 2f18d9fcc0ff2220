#include <kernel/abi/linux/socket_arguments.hpp>

#include <kernel/abi/linux/errno.hpp>
#include <kernel/abi/linux/file_types.hpp>

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

enum class Kind : std::uint8_t {
    Number,
    Timeout,
    Linger
};
struct OptionRow {
    std::int32_t level, name;
    SocketOption option;
    Kind kind = Kind::Number;
};
constexpr OptionRow kOptions[] = {
    {kSolSocket, 2, SocketOption::ReuseAddress},
    {kSolSocket, 5, SocketOption::DontRoute},
    {kSolSocket, 6, SocketOption::Broadcast},
    {kSolSocket, 7, SocketOption::SendBuffer},
    {kSolSocket, 8, SocketOption::ReceiveBuffer},
    {kSolSocket, 9, SocketOption::KeepAlive},
    {kSolSocket, 10, SocketOption::OutOfBandInline},
    {kSolSocket, kSoLinger, SocketOption::Linger, Kind::Linger},
    {kSolSocket, 15, SocketOption::ReusePort},
    {kSolSocket, 16, SocketOption::PassCredentials},
    {kSolSocket, 18, SocketOption::ReceiveLowWater},
    {kSolSocket, kSoReceiveTimeout, SocketOption::ReceiveTimeout, Kind::Timeout},
    {kSolSocket, kSoSendTimeout, SocketOption::SendTimeout, Kind::Timeout},
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

const OptionRow* find_option(std::int32_t level, std::int32_t name) {
    const auto* row = std::ranges::find_if(
        kOptions, [&](const OptionRow& r) { return r.level == level && r.name == name; });
    return row == std::end(kOptions) ? nullptr : row;
}

Result<> put_option(UserAddr value, UserAddr size_address, const void* data, std::uint32_t size) {
    const auto capacity = SKEP_TRY(copy_in<std::int32_t>(size_address));
    if (capacity < 0)
        return fail(Errno::Inval);
    size = std::min(size, static_cast<std::uint32_t>(capacity));
    SKEP_TRY(copy_out(value, data, size));
    return copy_out(size_address, size);
}

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
    const OptionRow* row = find_option(level, name);
    if (!row)
        return fail(Errno::NoProtoOpt);
    switch (row->kind) {
        case Kind::Timeout: {
            if (size < sizeof(Timeval))
                return fail(Errno::Inval);
            const auto time = SKEP_TRY(copy_in<Timeval>(value));
            if (time.microseconds < 0 || time.microseconds >= 1'000'000)
                return fail(Errno::Dom);
            constexpr std::int64_t kLongest = 1'000'000'000;  // seconds; longer is as good as none
            const std::int64_t seconds = time.seconds < 0 ? 0 : std::min(time.seconds, kLongest);
            return socket.set_option(row->option,
                                     seconds * 1'000'000'000 + time.microseconds * 1000);
        }
        case Kind::Linger: {
            if (size < sizeof(Linger))
                return fail(Errno::Inval);
            const auto linger = SKEP_TRY(copy_in<Linger>(value));
            return socket.set_option(row->option, linger.on ? std::max(linger.seconds, 0) : -1);
        }
        case Kind::Number:
            break;
    }
    if (size == 0)
        return fail(Errno::Inval);
    if (size < sizeof(std::int32_t))  // IP_TTL and others take one byte too
        return socket.set_option(row->option, SKEP_TRY(copy_in<std::uint8_t>(value)));
    return socket.set_option(row->option, SKEP_TRY(copy_in<std::int32_t>(value)));
}

Result<> get_socket_option(Socket& socket, std::int32_t level, std::int32_t name, UserAddr value,
                           UserAddr size_address) {
    auto put_number = [&](std::int64_t number) {
        const auto shown = static_cast<std::int32_t>(
            std::clamp<std::int64_t>(number, std::numeric_limits<std::int32_t>::min(),
                                     std::numeric_limits<std::int32_t>::max()));
        return put_option(value, size_address, &shown, sizeof shown);
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
                return put_option(value, size_address, &shown, sizeof shown);
            }
            default:
                break;
        }
    }
    const OptionRow* row = find_option(level, name);
    if (!row)
        return fail(Errno::NoProtoOpt);
    const std::int64_t number = SKEP_TRY(socket.option(row->option));
    switch (row->kind) {
        case Kind::Timeout: {
            const Timeval shown{number / 1'000'000'000, number % 1'000'000'000 / 1000};
            return put_option(value, size_address, &shown, sizeof shown);
        }
        case Kind::Linger: {
            const Linger shown{number >= 0,
                               static_cast<std::int32_t>(std::max<std::int64_t>(number, 0))};
            return put_option(value, size_address, &shown, sizeof shown);
        }
        case Kind::Number:
            break;
    }
    return put_number(number);
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
