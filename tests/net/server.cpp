// skep-net-test: the machine's side of the network tests, in one poll loop. TCP: 7 echoes, 9
// discards, 19 sends without end, 1 ends the program. `skep-net-test loopback` instead moves bytes
// through 127.0.0.1 and ::1 and prints how fast.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t kBuffer = 64 * 1024;
constexpr std::uint16_t kQuit = 1, kEcho = 7, kDiscard = 9, kSource = 19;

[[noreturn]] void give_up(const char* what) {
    std::printf("FAILED %s: %s\n", what, std::strerror(errno));
    std::exit(1);
}

int listen_on(std::uint16_t port) {
    // Dual stack, as gRPC does it.
    const int listener = ::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0)
        give_up("socket");
    const int on = 1, off = 0;
    if (::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        ::setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0)
        give_up("setsockopt");
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
        give_up("bind");
    if (::listen(listener, 128) != 0)
        give_up("listen");
    return listener;
}

struct Connection {
    int socket;
    std::uint16_t service;
    std::string unsent;  // of the echo
    bool ended = false;  // the peer sends no more
};

std::array<char, kBuffer> buffer, pattern;

// -> whether the connection goes on.
bool serve(Connection& c, short events) {
    if (c.service == kSource) {
        if (events & (POLLIN | POLLHUP | POLLERR))
            return ::recv(c.socket, buffer.data(), buffer.size(), 0) > 0;
        const ssize_t sent = ::send(c.socket, pattern.data(), pattern.size(), MSG_NOSIGNAL);
        return sent >= 0 || errno == EAGAIN;
    }
    if ((events & (POLLIN | POLLHUP | POLLERR)) && !c.ended && c.unsent.size() < kBuffer) {
        const ssize_t got = ::recv(c.socket, buffer.data(), buffer.size(), 0);
        if (got < 0 && errno != EAGAIN)
            return false;
        c.ended = got == 0;
        if (got > 0 && c.service == kEcho)
            c.unsent.append(buffer.data(), static_cast<std::size_t>(got));
    }
    if (!c.unsent.empty()) {
        const ssize_t sent = ::send(c.socket, c.unsent.data(), c.unsent.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN)
            return false;
        c.unsent.erase(0, static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
    }
    return !(c.ended && c.unsent.empty());
}

short interest(const Connection& c) {
    if (c.service == kSource)
        return POLLIN | POLLOUT;
    return static_cast<short>((!c.ended && c.unsent.size() < kBuffer ? POLLIN : 0) |
                              (c.unsent.empty() ? 0 : POLLOUT));
}

int run_server() {
    for (std::size_t i = 0; i < pattern.size(); ++i)
        pattern[i] = static_cast<char>(i * 7 + i / 256);
    constexpr std::array<std::uint16_t, 4> kServices = {kQuit, kEcho, kDiscard, kSource};
    std::vector<int> listeners;
    for (const std::uint16_t port : kServices)
        listeners.push_back(listen_on(port));
    std::printf("net: ready\n");
    std::fflush(stdout);
    std::vector<Connection> connections;
    std::vector<pollfd> waiting;
    for (;;) {
        waiting.clear();
        for (const int listener : listeners)
            waiting.push_back({listener, POLLIN, 0});
        for (const Connection& c : connections)
            waiting.push_back({c.socket, interest(c), 0});
        if (::poll(waiting.data(), waiting.size(), -1) < 0)
            give_up("poll");
        for (std::size_t i = connections.size(); i-- > 0;) {
            const short events = waiting[kServices.size() + i].revents;
            if (events && !serve(connections[i], events)) {
                ::close(connections[i].socket);
                connections.erase(connections.begin() + static_cast<std::ptrdiff_t>(i));
            }
        }
        for (std::size_t i = 0; i < kServices.size(); ++i) {
            if (!(waiting[i].revents & POLLIN))
                continue;
            const int accepted =
                ::accept4(listeners[i], nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (accepted < 0)
                continue;
            if (kServices[i] == kQuit)
                return 0;
            const int on = 1;
            (void)::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            connections.push_back({accepted, kServices[i], {}});
        }
    }
}

int run_loopback() {
    constexpr std::size_t kTotal = 64 << 20;
    const int listener = listen_on(5001);
    (void)::fcntl(listener, F_SETFL, 0);
    for (const bool ipv6 : {false, true}) {
        std::thread sender([ipv6] {
            sockaddr_in6 six{};
            six.sin6_family = AF_INET6;
            six.sin6_port = htons(5001);
            six.sin6_addr = in6addr_loopback;
            sockaddr_in four{};
            four.sin_family = AF_INET;
            four.sin_port = htons(5001);
            four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
            const int to = ::socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
            if (::connect(
                    to,
                    ipv6 ? reinterpret_cast<sockaddr*>(&six) : reinterpret_cast<sockaddr*>(&four),
                    ipv6 ? sizeof six : sizeof four) != 0)
                give_up("connect");
            const std::vector<char> block(kBuffer, 'x');
            for (std::size_t left = kTotal; left > 0;) {
                const ssize_t sent = ::send(to, block.data(), std::min(left, block.size()), 0);
                if (sent <= 0)
                    give_up("send");
                left -= static_cast<std::size_t>(sent);
            }
            ::close(to);
        });
        const auto start = std::chrono::steady_clock::now();
        const int from = ::accept(listener, nullptr, nullptr);
        if (from < 0)
            give_up("accept");
        std::size_t got = 0;
        for (ssize_t part; (part = ::recv(from, buffer.data(), buffer.size(), 0)) > 0;)
            got += static_cast<std::size_t>(part);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        ::close(from);
        sender.join();
        if (got != kTotal)
            give_up("bytes are missing");
        std::printf("loopback %s: %.1f MB/s\n", ipv6 ? "ipv6" : "ipv4",
                    kTotal / took.count() / 1e6);
    }
    return 0;
}

}  // namespace

int main(int count, char** arguments) {
    if (count == 2 && std::strcmp(arguments[1], "loopback") == 0)
        return run_loopback();
    return run_server();
}
