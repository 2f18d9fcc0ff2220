// Numbers and layouts of FreeBSD/amd64 sockets: sys/socket.h, netinet/in.h, netinet/tcp.h,
// netinet6/in6.h, sys/un.h.
#pragma once

#include <cstdint>

namespace skep::kernel::freebsd_abi {

struct MessageHeader {  // struct msghdr
    std::uint64_t name;
    std::uint32_t name_size, padding;
    std::uint64_t segments;
    std::int32_t segment_count, padding2;
    std::uint64_t control;
    std::uint32_t control_size, flags;
};
static_assert(sizeof(MessageHeader) == 48);

struct ControlHeader {  // struct cmsghdr; its data starts at the next multiple of 8
    std::uint32_t size;
    std::int32_t level, type;
};
static_assert(sizeof(ControlHeader) == 12);
inline constexpr std::uint32_t kControlDataOffset = 16;

struct UserCredentials {  // struct xucred
    std::uint32_t version, user;
    std::int16_t group_count;
    std::uint16_t padding;
    std::uint32_t groups[16];
    std::uint64_t process;
};
static_assert(sizeof(UserCredentials) == 88);

struct ControlCredentials {  // struct cmsgcred
    std::int32_t process;
    std::uint32_t user, effective_user, group;
    std::int16_t group_count;
    std::uint16_t padding;
    std::uint32_t groups[16];
};
static_assert(sizeof(ControlCredentials) == 84);

inline constexpr std::uint64_t kSockCloseOnExec = 0x1000'0000, kSockNonblock = 0x2000'0000;

inline constexpr std::int32_t kSolSocket = 0xffff, kSolLocal = 0, kSolIp = 0, kSolTcp = 6,
                              kSolUdp = 17, kSolIpv6 = 41;
inline constexpr std::int32_t kSoNoSigPipe = 0x800, kSoType = 0x1008, kSoError = 0x1007,
                              kSoListenQueueLimit = 0x1011, kSoListenQueueLength = 0x1012,
                              kSoProtocol = 0x1016, kSoDomain = 0x1019, kLocalPeerCredentials = 1;
inline constexpr std::int32_t kScmRights = 1, kScmCredentials = 3;
enum : std::uint32_t {
    kMsgOob = 1,
    kMsgPeek = 2,
    kMsgDontRoute = 4,
    kMsgEor = 8,
    kMsgTruncated = 0x10,
    kMsgControlTruncated = 0x20,
    kMsgWaitAll = 0x40,
    kMsgDontWait = 0x80,
    kMsgNoSignal = 0x20000,
    kMsgCloseOnExec = 0x40000,
    kMsgWaitForOne = 0x80000,
};

}  // namespace skep::kernel::freebsd_abi
