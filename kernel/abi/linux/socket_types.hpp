// Numbers and layouts of Linux/amd64 sockets (socket(7), ip(7), tcp(7), unix(7)).
#pragma once

#include <cstdint>

namespace skep::kernel::linux_abi {

struct MessageHeader {  // struct msghdr
    std::uint64_t name;
    std::uint32_t name_size, padding;
    std::uint64_t segments, segment_count, control, control_size;
    std::uint32_t flags, padding2;
};
static_assert(sizeof(MessageHeader) == 56);

struct MultiMessageHeader {  // struct mmsghdr
    MessageHeader header;
    std::uint32_t size, padding;
};
static_assert(sizeof(MultiMessageHeader) == 64);

struct ControlHeader {  // struct cmsghdr
    std::uint64_t size;
    std::int32_t level, type;
};
static_assert(sizeof(ControlHeader) == 16);

struct Ucred {
    std::int32_t process;
    std::uint32_t user, group;
};

inline constexpr std::int32_t kSolSocket = 1, kSolIp = 0, kSolTcp = 6, kSolUdp = 17, kSolIpv6 = 41;
inline constexpr std::int32_t kScmRights = 1, kScmCredentials = 2;
inline constexpr std::int32_t kSoType = 3, kSoLinger = 13, kSoPeerCredentials = 17,
                              kSoReceiveTimeout = 20, kSoSendTimeout = 21, kSoProtocol = 38,
                              kSoDomain = 39, kSoError = 4;
enum : std::uint32_t {
    kMsgOob = 1,
    kMsgPeek = 2,
    kMsgControlTruncated = 8,
    kMsgTruncated = 0x20,
    kMsgDontWait = 0x40,
    kMsgEor = 0x80,
    kMsgWaitAll = 0x100,
    kMsgNoSignal = 0x4000,
    kMsgMore = 0x8000,
    kMsgWaitForOne = 0x10000,
    kMsgCloseOnExec = 0x40000000,
};

}  // namespace skep::kernel::linux_abi
