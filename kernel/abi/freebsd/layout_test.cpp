// Translation tables of the FreeBSD personality. Numbers are from FreeBSD's headers (sys/socket.h,
// sys/signal.h, fcntl.h, sys/types.h, sys/mman.h).
#include <kernel/abi/freebsd/file_types.hpp>
#include <kernel/abi/freebsd/memory_flags.hpp>
#include <kernel/abi/freebsd/signal_types.hpp>
#include <kernel/abi/freebsd/socket_arguments.hpp>
#include <kernel/arch/x86_64/trap.hpp>
#include <kernel/vfs/file.hpp>

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace skep::kernel::freebsd_abi {
namespace {

TEST(FreeBsdSignals, SetsGoThereAndBack) {
    SignalSet set{Signal::Hup, Signal::Usr2, Signal::Thr, Signal::RtMin, Signal::RtMax};
    const BsdSignalSet bits = to_bsd_set(set);
    EXPECT_EQ(bits.words[0], 1u | 1u << 30 | 1u << 31);  // SIGHUP 1, SIGUSR2 31, SIGTHR 32
    EXPECT_EQ(bits.words[1], 0u);
    EXPECT_EQ(bits.words[2], 1u);        // SIGRTMIN 65
    EXPECT_EQ(bits.words[3], 1u << 29);  // SIGRTMAX 126
    EXPECT_EQ(to_bsd_set(from_bsd_set(bits)), bits);
}

TEST(FreeBsdSignals, InformationSaysWhatFreeBsdSays) {
    const BsdSignalInfo fault = to_bsd_info(
        {.signal = Signal::Segv, .cause = SignalCause::NoAccess, .address = 0x1234, .trap = 14});
    EXPECT_EQ(fault.signal, 11);
    EXPECT_EQ(fault.code, 2);   // SEGV_ACCERR
    EXPECT_EQ(fault.trap, 12);  // T_PAGEFLT
    EXPECT_EQ(fault.address, 0x1234u);
    EXPECT_EQ(to_bsd_info({.signal = Signal::Fpe, .cause = SignalCause::IntegerDivide}).code,
              2);  // FPE_INTDIV
    EXPECT_EQ(to_bsd_info({.signal = Signal::Bus, .cause = SignalCause::Misaligned}).code,
              1);  // BUS_ADRALN
    const BsdSignalInfo child = to_bsd_info({.signal = Signal::Chld,
                                             .cause = SignalCause::ChildKilled,
                                             .process = 7,
                                             .user = 8,
                                             .status = 9});
    EXPECT_EQ(child.code, 2);  // CLD_KILLED
    EXPECT_EQ(child.process, 7);
    EXPECT_EQ(child.status, 9);
    EXPECT_EQ(to_bsd_info({.signal = Signal::Usr1, .cause = SignalCause::User}).code,
              0x10001);  // SI_USER
    EXPECT_EQ(to_bsd_info({.signal = Signal::Usr1, .cause = SignalCause::Thread}).code,
              0x10007);  // SI_LWP
}

TEST(FreeBsdFiles, OpenFlags) {
    EXPECT_EQ(file_flags(0), kOpenRead);
    EXPECT_EQ(file_flags(1 | 0x200 | 0x400), kOpenWrite);  // O_WRONLY | O_CREAT | O_TRUNC
    EXPECT_EQ(file_flags(2 | 8 | 4), kOpenRead | kOpenWrite | kOpenAppend | kOpenNonblock);
    EXPECT_EQ(file_flags(0x40000), kOpenRead);  // O_EXEC
    EXPECT_EQ(file_flags(0x400000), kOpenPath);
    for (const std::uint32_t flags : {0u, 1u, 2u, 2u | 8u, 1u | 4u, 0x400000u})
        EXPECT_EQ(open_flags(file_flags(flags)), flags);
    EXPECT_EQ(open_flags(kOpenRead | kFileNoPipeSignal), 0u);
}

TEST(FreeBsdFiles, DeviceNumbersKeepEveryBit) {
    EXPECT_EQ(encode_device(device_number(4, 64)), 0x440u);
    EXPECT_EQ(encode_device(device_number(0x12345678, 0x9abcdef0)), 0x123456de9abc78f0u);
    for (const std::uint64_t number : {device_number(1, 3), device_number(0xffffffff, 0),
                                       device_number(0, 0xffffffff), device_number(300, 70000)})
        EXPECT_EQ(decode_device(encode_device(number)), number);
}

TEST(FreeBsdMemory, FlagsThatDoNotGoTogether) {
    constexpr std::uint64_t kRw = 3;
    EXPECT_EQ(map_kind(kRw, kMapAnonymous | kMapPrivate, -1, 0), MapKind::Anonymous);
    EXPECT_EQ(map_kind(kRw, kMapAnonymous | kMapPrivate, 3, 0).error(), Errno::Inval);
    EXPECT_EQ(map_kind(kRw, kMapStack, -1, 0), MapKind::Anonymous);
    EXPECT_EQ(map_kind(1, kMapStack, -1, 0).error(), Errno::Inval);
    EXPECT_EQ(map_kind(0, kMapGuard, -1, 0), MapKind::Anonymous);
    EXPECT_EQ(map_kind(kRw, kMapGuard, -1, 0).error(), Errno::Inval);
    EXPECT_EQ(map_kind(kRw, kMapShared, 5, 4096), MapKind::File);
    EXPECT_EQ(map_kind(kRw, kMapShared | kMapPrivate, 5, 0).error(), Errno::Inval);
    EXPECT_EQ(map_request(0, 4096, kRw, kMapExclusive).error(), Errno::Inval);
    EXPECT_EQ(map_request(0, 0, kRw, kMapPrivate).error(), Errno::Inval);
    EXPECT_FALSE(map_request(0x10000, 4096, kRw, kMapFixed | kMapExclusive)->replace);
    EXPECT_EQ(map_request(0, 4096, kRw, 21u << 24)->alignment, 1u << 21);
    EXPECT_EQ(map_request(0, 4096, kRw, 5u << 24).error(), Errno::Inval);
}

TEST(FreeBsdMemory, ProtMax) {
    EXPECT_FALSE(protection_argument(3)->maximum);
    EXPECT_EQ(map_request(0, 1, 3, 0x1002)->max_protection, 7u);
    EXPECT_EQ(protection_argument(1 | 3 << 16)->maximum, 3u);
    EXPECT_EQ(protection_argument(2 | 1 << 16).error(), Errno::OpNotSupp);
    EXPECT_EQ(protection_argument(8).error(), Errno::Inval);
}

TEST(FreeBsdSockets, InternetAddresses) {
    const std::array<std::uint8_t, 16> in{16, 2, 0x1f, 0x90, 127, 0, 0, 1};
    const auto address = from_sockaddr(in);
    ASSERT_TRUE(address);
    EXPECT_EQ(address->family, Family::Inet);
    EXPECT_EQ(address->size, 14);
    EXPECT_EQ(address->data[0], 0x1f);
    EXPECT_EQ(address->data[5], 1);
    std::array<std::uint8_t, kAddressMax> out;
    ASSERT_EQ(to_sockaddr(*address, out), 16u);
    EXPECT_TRUE(std::equal(in.begin(), in.end(), out.begin()));

    std::array<std::uint8_t, 28> in6{28, 28};
    in6[23] = 1;
    const auto address6 = from_sockaddr(in6);
    ASSERT_TRUE(address6);
    EXPECT_EQ(address6->family, Family::Inet6);
    EXPECT_EQ(to_sockaddr(*address6, out), 28u);
    EXPECT_EQ(out[0], 28);
    EXPECT_EQ(out[1], 28);
}

TEST(FreeBsdSockets, UnixAddresses) {
    std::vector<std::uint8_t> in{0, 1, '/', 't', 'm', 'p', '/', 's', 0, 0, 0};
    const auto address = from_sockaddr(in);
    ASSERT_TRUE(address);
    EXPECT_EQ(address->family, Family::Unix);
    EXPECT_EQ(address->size, 6);
    std::array<std::uint8_t, kAddressMax> out;
    EXPECT_EQ(to_sockaddr(*address, out), 16u);  // at least a whole struct sockaddr
    in.resize(200, 'x');
    EXPECT_EQ(from_sockaddr(in).error(), Errno::NameTooLong);
}

TEST(FreeBsdSockets, MalformedAddresses) {
    const std::array<std::uint8_t, 1> tiny{1};
    EXPECT_EQ(from_sockaddr(tiny).error(), Errno::Inval);
    const std::array<std::uint8_t, 8> cut{8, 2};
    EXPECT_EQ(from_sockaddr(cut).error(), Errno::Inval);
    const std::array<std::uint8_t, 16> linux_inet6{16, 10};
    EXPECT_EQ(from_sockaddr(linux_inet6).error(), Errno::AfNoSupport);
}

TEST(FreeBsdSockets, Flags) {
    EXPECT_EQ(message_flags(kMsgDontWait | kMsgNoSignal | kMsgPeek),
              kMessageDontWait | kMessageNoSignal | kMessagePeek);
    EXPECT_EQ(bsd_message_flags(kMessageTruncated | kMessageControlTruncated), 0x30u);
    EXPECT_EQ(family_argument(28), Family::Inet6);
    EXPECT_EQ(family_argument(10).error(), Errno::AfNoSupport);
}

}  // namespace
}  // namespace skep::kernel::freebsd_abi
