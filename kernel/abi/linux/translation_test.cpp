// Layouts and numbers against the build host's own headers: it is a Linux.
#include <kernel/abi/linux/socket_arguments.hpp>
#include <kernel/abi/linux/termios.hpp>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <gtest/gtest.h>

#include <termios.h>
#include <cstring>

namespace skep::kernel::linux_abi {
namespace {

UserAddr user(const void* pointer) {
    return reinterpret_cast<UserAddr>(pointer);
}

TEST(LinuxTerminals, SettingsAreTheHosts) {
    const LinuxTermios shown = to_linux({});
    EXPECT_EQ(shown.input, static_cast<unsigned>(ICRNL | IXON | IMAXBEL));
    EXPECT_EQ(shown.output, static_cast<unsigned>(OPOST | ONLCR));
    EXPECT_EQ(shown.control & static_cast<unsigned>(CSIZE | CREAD | HUPCL | CLOCAL | PARENB),
              static_cast<unsigned>(CS8 | CREAD | HUPCL | CLOCAL));
    EXPECT_EQ(shown.local, static_cast<unsigned>(ECHOKE | ECHOE | ECHOK | ECHO | ECHOCTL | ISIG |
                                                 ICANON | IEXTEN));
    EXPECT_EQ(shown.characters[VINTR], 3);
    EXPECT_EQ(shown.characters[VEOF], 4);
    EXPECT_EQ(shown.characters[VERASE], 0x7f);
    EXPECT_EQ(shown.characters[VSUSP], 26);
    EXPECT_EQ(shown.characters[VMIN], 1);
    EXPECT_EQ(shown.characters[VEOL], _POSIX_VDISABLE);
}

TEST(LinuxTerminals, EveryFlagGoesThereAndBack) {
    const LinuxTermios before = to_linux({});
    int known = 0;
    for (const auto member : {&LinuxTermios::input, &LinuxTermios::output, &LinuxTermios::local})
        for (unsigned bit = 0; bit < 32; bit++) {
            LinuxTermios set = before;
            set.*member ^= 1u << bit;
            const std::uint32_t kept = to_linux(from_linux(set, {})).*member;
            // What the kernel has no flag for reads as before.
            EXPECT_TRUE(kept == set.*member || kept == before.*member) << bit;
            known += kept == set.*member;
        }
    EXPECT_GE(known, 30);
    LinuxTermios raw = before;
    raw.local &= ~static_cast<unsigned>(ICANON | ECHO | ISIG);
    raw.characters[VMIN] = 7;
    const Termios ours = from_linux(raw, {});
    EXPECT_FALSE(ours.local & (kLocalCanonical | kLocalEcho | kLocalSignals));
    EXPECT_EQ(ours.characters[kMinimum], 7);
}

TEST(LinuxSockets, AddressesAreTheHosts) {
    sockaddr_in inet{};
    inet.sin_family = AF_INET;
    inet.sin_port = htons(0x1234);
    inet.sin_addr.s_addr = htonl(0x7f000001);
    const auto ours = address_argument(user(&inet), sizeof inet);
    ASSERT_TRUE(ours);
    EXPECT_EQ(ours->family, Family::Inet);
    EXPECT_EQ(ours->data[0], 0x12);
    EXPECT_EQ(ours->data[2], 0x7f);

    sockaddr_in back{};
    socklen_t size = sizeof back;
    ASSERT_TRUE(put_address(user(&back), user(&size), *ours));
    EXPECT_EQ(size, sizeof back);
    EXPECT_EQ(std::memcmp(&back, &inet, sizeof back), 0);
    // Cut at what there is room for, with the size that it has.
    sockaddr_in part{};
    size = 4;
    ASSERT_TRUE(put_address(user(&part), user(&size), *ours));
    EXPECT_EQ(size, sizeof inet);
    EXPECT_EQ(part.sin_port, inet.sin_port);
    EXPECT_EQ(part.sin_addr.s_addr, 0u);

    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    six.sin6_addr.s6_addr[15] = 1;
    six.sin6_scope_id = 9;
    const auto ours6 = address_argument(user(&six), sizeof six);
    ASSERT_TRUE(ours6);
    sockaddr_in6 back6{};
    size = sizeof back6;
    ASSERT_TRUE(put_address(user(&back6), user(&size), *ours6));
    EXPECT_EQ(std::memcmp(&back6, &six, sizeof six), 0);
}

TEST(LinuxSockets, UnixPathsEndWithTheirNulAndAbstractNamesDoNot) {
    sockaddr_un path{};
    path.sun_family = AF_UNIX;
    std::strcpy(path.sun_path, "/tmp/s");
    const auto ours = address_argument(user(&path), sizeof path);
    ASSERT_TRUE(ours);
    EXPECT_EQ(ours->size, 6);
    std::memcpy(path.sun_path, "\0a\0b", 4);
    const auto abstract = address_argument(user(&path), sizeof path.sun_family + 4);
    ASSERT_TRUE(abstract);
    EXPECT_EQ(abstract->size, 4);
}

TEST(LinuxSockets, MalformedAddresses) {
    sockaddr_storage any{};
    any.ss_family = AF_INET;
    EXPECT_EQ(address_argument(user(&any), 1).error(), Errno::Inval);
    EXPECT_EQ(address_argument(user(&any), sizeof(sockaddr_in) - 1).error(), Errno::Inval);
    EXPECT_EQ(address_argument(user(&any), sizeof any + 1).error(), Errno::Inval);
    EXPECT_EQ(address_argument(8, sizeof any).error(), Errno::Fault);
    any.ss_family = 77;
    EXPECT_EQ(address_argument(user(&any), sizeof any).error(), Errno::AfNoSupport);
    EXPECT_EQ(family_argument(AF_APPLETALK).error(), Errno::AfNoSupport);
    EXPECT_EQ(type_argument(SOCK_SEQPACKET).value(), SocketType::SeqPacket);
    EXPECT_EQ(type_argument(99).error(), Errno::SocktNoSupport);
}

TEST(LinuxSockets, Flags) {
    EXPECT_EQ(message_flags(MSG_PEEK | MSG_DONTWAIT), kMessagePeek | kMessageDontWait);
    EXPECT_EQ(message_flags(MSG_WAITALL | MSG_NOSIGNAL), kMessageWaitAll | kMessageNoSignal);
    EXPECT_EQ(linux_message_flags(kMessageTruncated | kMessageEndOfRecord),
              static_cast<unsigned>(MSG_TRUNC | MSG_EOR));
}

}  // namespace
}  // namespace skep::kernel::linux_abi
