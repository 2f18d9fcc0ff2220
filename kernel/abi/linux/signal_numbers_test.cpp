#include <kernel/abi/linux/errno.hpp>
#include <kernel/abi/linux/signal_numbers.hpp>

#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace skep::kernel::linux_abi {
namespace {

TEST(LinuxSignals, NumbersAreThoseOfTheBuildHost) {
    EXPECT_EQ(to_linux_signal(Signal::Usr1), SIGUSR1);
    EXPECT_EQ(to_linux_signal(Signal::Chld), SIGCHLD);
    EXPECT_EQ(to_linux_signal(Signal::Bus), SIGBUS);
    EXPECT_EQ(to_linux_signal(Signal::Sys), SIGSYS);
    EXPECT_EQ(to_linux_signal(Signal::Winch), SIGWINCH);
    EXPECT_EQ(to_linux_signal(Signal::Thr), 0u);
}

TEST(LinuxSignals, EveryNumberGoesThereAndBack) {
    for (unsigned n = 1; n <= kLinuxSignals; n++)
        EXPECT_EQ(to_linux_signal(from_linux_signal(n)), n);
    EXPECT_EQ(from_linux_signal(0), Signal::None);
    EXPECT_EQ(from_linux_signal(65), Signal::None);
    EXPECT_EQ(to_linux_set(from_linux_set(~0ull)), ~0ull);
}

TEST(LinuxSignals, InfoLaysOutAsTheHostHasIt) {
    siginfo_t host{};
    const LinuxSigInfo info = to_linux_info({.signal = Signal::Chld,
                                             .cause = SignalCause::ChildKilled,
                                             .process = 7,
                                             .user = 8,
                                             .status = static_cast<int>(Signal::Usr1)});
    static_assert(sizeof host == sizeof info);
    std::memcpy(&host, &info, sizeof host);
    EXPECT_EQ(host.si_signo, SIGCHLD);
    EXPECT_EQ(host.si_code, CLD_KILLED);
    EXPECT_EQ(host.si_pid, 7);
    EXPECT_EQ(host.si_status, SIGUSR1);
    const LinuxSigInfo fault =
        to_linux_info({.signal = Signal::Segv, .cause = SignalCause::NoAccess, .address = 0x1234});
    std::memcpy(&host, &fault, sizeof host);
    EXPECT_EQ(host.si_code, SEGV_ACCERR);
    EXPECT_EQ(host.si_addr, reinterpret_cast<void*>(0x1234));
}

TEST(LinuxErrno, NumbersAreThoseOfTheBuildHost) {
    EXPECT_EQ(linux_errno(Errno::Again), EAGAIN);
    EXPECT_EQ(linux_errno(Errno::Deadlk), EDEADLK);
    EXPECT_EQ(linux_errno(Errno::NoSys), ENOSYS);
    EXPECT_EQ(linux_errno(Errno::InProgress), EINPROGRESS);
    EXPECT_EQ(linux_errno(Errno::ConnRefused), ECONNREFUSED);
    EXPECT_EQ(linux_errno(Errno::NotEmpty), ENOTEMPTY);
    EXPECT_EQ(linux_errno(Errno::TimedOut), ETIMEDOUT);
    EXPECT_EQ(linux_errno(Errno::Loop), ELOOP);
    EXPECT_EQ(linux_errno(Errno::Pipe), EPIPE);
    EXPECT_EQ(linux_errno(Errno::OpNotSupp), EOPNOTSUPP);
    EXPECT_EQ(linux_errno(Errno::AddrInUse), EADDRINUSE);
    EXPECT_EQ(linux_errno(Errno::OwnerDead), EOWNERDEAD);
}

}  // namespace
}  // namespace skep::kernel::linux_abi
