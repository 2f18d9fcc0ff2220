// Waiting: poll, select, epoll, eventfd, timerfd.
#include "check.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <csignal>
#include <ctime>
#include <thread>
#include <vector>

namespace skep::files_test {

namespace {

struct Pipe {
    Pipe() {
        int ends[2];
        CHECK(::pipe(ends) == 0);
        in = ends[0], out = ends[1];
    }
    ~Pipe() {
        ::close(in);
        ::close(out);
    }
    int in, out;
};

double now() {
    timespec t;
    ::clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

void control(int epoll, int op, int fd, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.u64 = static_cast<std::uint64_t>(fd)}};
    CHECK(::epoll_ctl(epoll, op, fd, &event) == 0);
}
int wait(int epoll, epoll_event* events, int timeout = 0, int capacity = 8) {
    const int found = ::epoll_wait(epoll, events, capacity, timeout);
    CHECK(found >= 0);
    return found;
}

void epoll_level() {
    const Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
    Pipe p;
    epoll_event events[8];
    control(epoll, EPOLL_CTL_ADD, p.in, EPOLLIN);
    control(epoll, EPOLL_CTL_ADD, p.out, EPOLLOUT);
    CHECK(wait(epoll, events) == 1 && events[0].events == EPOLLOUT &&
          events[0].data.u64 == static_cast<std::uint64_t>(p.out));
    control(epoll, EPOLL_CTL_DEL, p.out, 0);
    CHECK(::write(p.out, "x", 1) == 1);
    CHECK(wait(epoll, events) == 1 && events[0].events == EPOLLIN);
    CHECK(wait(epoll, events) == 1);
    char byte;
    CHECK(::read(p.in, &byte, 1) == 1 && wait(epoll, events) == 0);
    ::close(p.out);
    CHECK(wait(epoll, events) == 1 && events[0].events == EPOLLHUP);
    p.out = ::dup(0);
    CHECK_ERROR(::epoll_ctl(epoll, EPOLL_CTL_ADD, p.in, events), EEXIST);
    const Fd other(::eventfd(0, 0));
    CHECK_ERROR(::epoll_ctl(epoll, EPOLL_CTL_MOD, other, events), ENOENT);
    CHECK_ERROR(::epoll_ctl(epoll, EPOLL_CTL_ADD, epoll, events), EINVAL);
    CHECK_ERROR(::epoll_ctl(epoll, EPOLL_CTL_ADD, 999, events), EBADF);
    const Fd file(::open("/tmp", O_RDONLY));
    CHECK_ERROR(::epoll_ctl(epoll, EPOLL_CTL_ADD, file, events), EPERM);
    CHECK_ERROR(::epoll_wait(p.in, events, 8, 0), EINVAL);
    CHECK_ERROR(::epoll_wait(epoll, events, 0, 0), EINVAL);
}

void epoll_edge() {
    const Fd epoll(::epoll_create1(0));
    Pipe p;
    epoll_event events[8];
    control(epoll, EPOLL_CTL_ADD, p.in, EPOLLIN | EPOLLET);
    CHECK(::write(p.out, "x", 1) == 1);
    CHECK(wait(epoll, events) == 1 && wait(epoll, events) == 0);
    CHECK(::write(p.out, "y", 1) == 1 && wait(epoll, events) == 1);
    control(epoll, EPOLL_CTL_MOD, p.in, EPOLLIN | EPOLLET);
    CHECK(wait(epoll, events) == 1 && wait(epoll, events) == 0);
    control(epoll, EPOLL_CTL_MOD, p.in, EPOLLIN | EPOLLONESHOT);
    CHECK(wait(epoll, events) == 1 && wait(epoll, events) == 0);
    CHECK(::write(p.out, "z", 1) == 1 && wait(epoll, events) == 0);
    control(epoll, EPOLL_CTL_MOD, p.in, EPOLLIN | EPOLLONESHOT);
    CHECK(wait(epoll, events) == 1);
    // As gRPC does: both directions, edges.
    int pair[2];
    CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    const Fd a(pair[0]), b(pair[1]);
    control(epoll, EPOLL_CTL_ADD, a, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    CHECK(wait(epoll, events) == 1 && events[0].events == EPOLLOUT && wait(epoll, events) == 0);
    CHECK(::send(b, "m", 1, 0) == 1);
    CHECK(wait(epoll, events) == 1 && events[0].events == (EPOLLIN | EPOLLOUT));
    std::vector<char> much(1 << 20);
    ssize_t sent = 0, part;
    while ((part = ::send(a, much.data(), much.size(), 0)) > 0)
        sent += part;
    CHECK(errno == EAGAIN && sent > 0);
    (void)wait(epoll, events);
    CHECK(wait(epoll, events) == 0);
    while (sent > 0 && (part = ::recv(b, much.data(), much.size(), 0)) > 0)
        sent -= part;
    CHECK(wait(epoll, events, 1000) == 1 && (events[0].events & EPOLLOUT));
    CHECK(::shutdown(b, SHUT_WR) == 0);
    CHECK(wait(epoll, events) == 1 &&
          (events[0].events & (EPOLLIN | EPOLLRDHUP)) == (EPOLLIN | EPOLLRDHUP));
}

void epoll_threads() {
    const Fd epoll(::epoll_create1(0)), event(::eventfd(0, EFD_NONBLOCK));
    control(epoll, EPOLL_CTL_ADD, event, EPOLLIN | EPOLLET);
    constexpr int kRounds = 2000;
    std::thread writer([&] {
        for (int i = 0; i < kRounds; i++)
            CHECK(::eventfd_write(event, 1) == 0);
    });
    std::uint64_t total = 0;
    epoll_event events[8];
    while (total < kRounds) {
        CHECK(wait(epoll, events, 5000) == 1);
        eventfd_t value;
        if (::eventfd_read(event, &value) == 0)
            total += value;
    }
    writer.join();
    CHECK(total == kRounds);
}

void epoll_timeout_and_signal() {
    const Fd epoll(::epoll_create1(0));
    epoll_event events[1];
    double start = now();
    CHECK(::epoll_wait(epoll, events, 1, 50) == 0);
    CHECK(now() - start > 0.045 && now() - start < 2);
    struct sigaction action {};
    action.sa_handler = [](int) {};
    ::sigaction(SIGALRM, &action, nullptr);
    ::alarm(1);
    CHECK_ERROR(::epoll_wait(epoll, events, 1, 10000), EINTR);
    // The mask of epoll_pwait lets the signal in for the call only.
    sigset_t blocked, none;
    sigemptyset(&none);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGALRM);
    ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
    ::raise(SIGALRM);
    CHECK_ERROR(::epoll_pwait(epoll, events, 1, 10000, &none), EINTR);
    ::sigprocmask(SIG_UNBLOCK, &blocked, nullptr);
}

void polling() {
    Pipe p, q;
    pollfd fds[] = {{p.in, POLLIN, 0}, {q.out, POLLOUT, 0}, {-1, POLLIN, 0}, {999, POLLIN, 0}};
    CHECK(::poll(fds, 3, 0) == 1 && fds[1].revents == POLLOUT && fds[0].revents == 0);
    CHECK(::poll(fds, 4, 1000) == 2 && fds[3].revents == POLLNVAL);
    CHECK(::poll(fds, 1, 30) == 0);
    std::thread writer([&] {
        ::usleep(20000);
        CHECK(::write(p.out, "x", 1) == 1);
    });
    CHECK(::poll(fds, 1, 5000) == 1 && fds[0].revents == POLLIN);
    writer.join();
    ::close(p.out);
    CHECK(::poll(fds, 1, 0) == 1 && fds[0].revents == (POLLIN | POLLHUP));
    p.out = ::dup(0);
    ::close(q.in);
    CHECK(::poll(fds + 1, 1, 0) == 1 && fds[1].revents == (POLLOUT | POLLERR));
    q.in = ::dup(0);
    timespec bad{-1, 0};
    CHECK_ERROR(::ppoll(fds, 1, &bad, nullptr), EINVAL);
}

void selecting() {
    Pipe p;
    fd_set in, out;
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(p.in, &in);
    FD_SET(p.out, &out);
    timeval none{0, 0};
    CHECK(::select(p.out + 1, &in, &out, nullptr, &none) == 1 && !FD_ISSET(p.in, &in) &&
          FD_ISSET(p.out, &out));
    ::close(p.out);
    FD_SET(p.in, &in);
    CHECK(::select(p.in + 1, &in, nullptr, nullptr, nullptr) == 1 && FD_ISSET(p.in, &in));
    p.out = ::dup(0);
    timeval bad{0, -1};
    CHECK_ERROR(::select(0, nullptr, nullptr, nullptr, &bad), EINVAL);
    FD_ZERO(&in);
    const int closed = ::dup(0);
    ::close(closed);
    FD_SET(closed, &in);
    CHECK_ERROR(::select(closed + 1, &in, nullptr, nullptr, &none), EBADF);
    double start = now();
    timeval short_time{0, 30000};
    CHECK(::select(0, nullptr, nullptr, nullptr, &short_time) == 0 && now() - start > 0.025);
}

void eventfds() {
    const Fd fd(::eventfd(5, EFD_NONBLOCK | EFD_SEMAPHORE));
    eventfd_t value;
    CHECK(::eventfd_read(fd, &value) == 0 && value == 1);
    char small[4];
    CHECK_ERROR(::read(fd, small, 4), EINVAL);
    const Fd other(::eventfd(0, EFD_NONBLOCK));
    CHECK_ERROR(::eventfd_read(other, &value), EAGAIN);
    CHECK(::eventfd_write(other, ~0ull - 1) == 0);
    CHECK_ERROR(::eventfd_write(other, 1), EAGAIN);
    CHECK_ERROR(::eventfd_write(other, ~0ull), EINVAL);
    CHECK(::eventfd_read(other, &value) == 0 && value == ~0ull - 1);
}

void timerfds() {
    const Fd fd(::timerfd_create(CLOCK_MONOTONIC, 0));
    itimerspec spec{.it_interval = {0, 10'000'000}, .it_value = {0, 20'000'000}}, old;
    const double start = now();
    CHECK(::timerfd_settime(fd, 0, &spec, nullptr) == 0);
    std::uint64_t count, total = 0;
    while (total < 5) {
        CHECK(::read(fd, &count, 8) == 8 && count > 0);
        total += count;
    }
    CHECK(now() - start > 0.055);
    spec = {};
    CHECK(::timerfd_settime(fd, 0, &spec, &old) == 0 && old.it_interval.tv_nsec == 10'000'000);
    CHECK(::fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    CHECK_ERROR(::read(fd, &count, 8), EAGAIN);
    spec.it_value = {0, 2'000'000'000};
    CHECK_ERROR(::timerfd_settime(fd, 0, &spec, nullptr), EINVAL);
    timespec real;
    ::clock_gettime(CLOCK_REALTIME, &real);
    const Fd absolute(::timerfd_create(CLOCK_REALTIME, 0));
    spec = {};
    spec.it_value = {real.tv_sec - 1, 0};  // past: at once
    CHECK(::timerfd_settime(absolute, TFD_TIMER_ABSTIME, &spec, nullptr) == 0);
    CHECK(::read(absolute, &count, 8) == 8 && count == 1);
}

void signalfds() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    CHECK(::sigprocmask(SIG_BLOCK, &set, nullptr) == 0);
    const Fd fd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)), epoll(::epoll_create1(0));
    control(epoll, EPOLL_CTL_ADD, fd, EPOLLIN);
    epoll_event events[8];
    CHECK(wait(epoll, events) == 0);
    signalfd_siginfo info[4];
    CHECK_ERROR(::read(fd, info, sizeof info), EAGAIN);
    CHECK(::kill(::getpid(), SIGUSR1) == 0);
    CHECK(wait(epoll, events, 1000) == 1);
    CHECK(::read(fd, info, sizeof info) == sizeof info[0] && info[0].ssi_signo == SIGUSR1 &&
          info[0].ssi_pid == static_cast<unsigned>(::getpid()));
    CHECK(wait(epoll, events) == 0);
    CHECK(in_child([] { ::_exit(5); }) == 5);
    CHECK(wait(epoll, events, 1000) == 1);
    CHECK(::read(fd, info, sizeof info) == sizeof info[0] && info[0].ssi_signo == SIGCHLD &&
          info[0].ssi_status == 5);
    CHECK(::sigprocmask(SIG_UNBLOCK, &set, nullptr) == 0);
}

}  // namespace

const Case event_cases[] = {
    {"epoll_level", epoll_level},
    {"epoll_edge", epoll_edge},
    {"epoll_threads", epoll_threads},
    {"epoll_timeout_and_signal", epoll_timeout_and_signal},
    {"poll", polling},
    {"select", selecting},
    {"eventfd", eventfds},
    {"timerfd", timerfds},
    {"signalfd", signalfds},
};
const unsigned event_case_count = std::size(event_cases);

}  // namespace skep::files_test
