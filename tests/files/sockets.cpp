// Unix sockets.
#include "check.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <csignal>
#include <thread>
#include <vector>

namespace skep::files_test {

namespace {

sockaddr_un address(const std::string& path) {
    sockaddr_un a{};
    a.sun_family = AF_UNIX;
    path.copy(a.sun_path, sizeof a.sun_path - 1);
    return a;
}
const sockaddr* raw(const sockaddr_un& a) {
    return reinterpret_cast<const sockaddr*>(&a);
}

struct Pair {
    explicit Pair(int type) {
        int ends[2];
        CHECK(::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) == 0);
        a = ends[0], b = ends[1];
    }
    ~Pair() {
        ::close(a);
        ::close(b);
    }
    int a, b;
};

void send_files(int socket, const char* text, const std::vector<int>& files) {
    iovec part{const_cast<char*>(text), std::strlen(text)};
    std::vector<char> control(CMSG_SPACE(sizeof(int) * files.size()));
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * files.size());
    std::memcpy(CMSG_DATA(header), files.data(), sizeof(int) * files.size());
    CHECK(::sendmsg(socket, &message, 0) == static_cast<ssize_t>(part.iov_len));
}

std::vector<int> receive_files(int socket, std::string& text, int* flags = nullptr,
                               std::size_t room = 8) {
    char buffer[64];
    iovec part{buffer, sizeof buffer};
    std::vector<char> control(CMSG_SPACE(sizeof(int) * room));
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = room ? control.size() : 0;
    const ssize_t size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    CHECK(size >= 0);
    text.assign(buffer, static_cast<std::size_t>(size));
    if (flags)
        *flags = message.msg_flags;
    std::vector<int> files;
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header;
         header = CMSG_NXTHDR(&message, header)) {
        CHECK(header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS);
        files.resize((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        std::memcpy(files.data(), CMSG_DATA(header), files.size() * sizeof(int));
    }
    return files;
}

void stream_connection() {
    const Folder f;
    const sockaddr_un name = address(f / "s");
    const Fd listener(::socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK(::bind(listener, raw(name), sizeof name) == 0);
    const sockaddr_un other = address(f / "t");
    CHECK_ERROR(::bind(listener, raw(other), sizeof other), EINVAL);
    const Fd second(::socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK_ERROR(::bind(second, raw(name), sizeof name), EADDRINUSE);
    const Fd client(::socket(AF_UNIX, SOCK_STREAM, 0));
    CHECK_ERROR(::connect(client, raw(name), sizeof name), ECONNREFUSED);
    CHECK(::listen(listener, 3) == 0);
    struct stat st;
    CHECK(::stat((f / "s").c_str(), &st) == 0 && S_ISSOCK(st.st_mode));
    CHECK(::connect(client, raw(name), sizeof name) == 0);
    CHECK_ERROR(::connect(client, raw(name), sizeof name), EISCONN);
    sockaddr_un peer;
    socklen_t size = sizeof peer;
    const Fd served(::accept4(listener, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
    CHECK(size == sizeof(sa_family_t));
    size = sizeof peer;
    CHECK(::getpeername(client, reinterpret_cast<sockaddr*>(&peer), &size) == 0 &&
          f / "s" == peer.sun_path);
    ucred who{};
    size = sizeof who;
    CHECK(::getsockopt(client, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 &&
          who.pid == ::getpid() && who.uid == ::getuid());
    CHECK(::send(client, "question", 8, 0) == 8);
    char text[32];
    CHECK(::recv(served, text, 4, MSG_PEEK) == 4 && ::recv(served, text, 32, 0) == 8);
    CHECK_ERROR(::recv(served, text, 1, MSG_DONTWAIT), EAGAIN);
    CHECK(::shutdown(client, SHUT_WR) == 0 && ::recv(served, text, 1, 0) == 0);
    CHECK(::send(served, "answer", 6, 0) == 6 && ::recv(client, text, 6, MSG_WAITALL) == 6);
    int type = 0;
    size = sizeof type;
    CHECK(::getsockopt(client, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM);
    CHECK_ERROR(::accept(client, nullptr, nullptr), EINVAL);
    const Fd plain(::open("/dev/null", O_RDWR));
    CHECK_ERROR(::send(plain, "x", 1, 0), ENOTSOCK);
    CHECK_ERROR(::socket(AF_UNIX, 99, 0), EINVAL);
    CHECK_ERROR(::socket(39, SOCK_STREAM, 0), EAFNOSUPPORT);
}

void stream_bulk() {
    Pair p(SOCK_STREAM);
    constexpr std::size_t kSize = 8 << 20;
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(p.b);
        std::vector<unsigned char> data(100000);
        std::size_t sent = 0;
        while (sent < kSize) {
            const std::size_t part = std::min(data.size(), kSize - sent);
            for (std::size_t i = 0; i < part; i++)
                data[i] = static_cast<unsigned char>((sent + i) * 7 >> 3);
            if (::write(p.a, data.data(), part) != static_cast<ssize_t>(part))
                ::_exit(1);
            sent += part;
        }
        ::_exit(0);
    }
    ::close(p.a);
    p.a = ::dup(0);
    std::vector<unsigned char> data(65536);
    std::size_t got = 0;
    ssize_t part;
    while ((part = ::read(p.b, data.data(), data.size())) > 0)
        for (ssize_t i = 0; i < part; i++, got++)
            CHECK(data[static_cast<std::size_t>(i)] == static_cast<unsigned char>(got * 7 >> 3));
    CHECK(part == 0 && got == kSize);
    int status;
    CHECK(::waitpid(child, &status, 0) == child && status == 0);
}

void packets() {
    for (int type : {SOCK_DGRAM, SOCK_SEQPACKET}) {
        Pair p(type);
        CHECK(::send(p.a, "one", 3, 0) == 3 && ::send(p.a, "three", 5, 0) == 5);
        char text[16];
        CHECK(::recv(p.b, text, 16, 0) == 3);
        CHECK(::recv(p.b, text, 2, MSG_TRUNC) == 5);
    }
    const Folder f;
    const sockaddr_un name = address(f / "d"), own = address(f / "o");
    const Fd server(::socket(AF_UNIX, SOCK_DGRAM, 0)), client(::socket(AF_UNIX, SOCK_DGRAM, 0));
    CHECK(::bind(server, raw(name), sizeof name) == 0 && ::bind(client, raw(own), sizeof own) == 0);
    CHECK(::sendto(client, "to you", 6, 0, raw(name), sizeof name) == 6);
    sockaddr_un from;
    socklen_t size = sizeof from;
    char text[16];
    CHECK(::recvfrom(server, text, 16, 0, reinterpret_cast<sockaddr*>(&from), &size) == 6 &&
          f / "o" == from.sun_path);
    CHECK_ERROR(::send(client, "x", 1, 0), ENOTCONN);
}

void passed_descriptors() {
    Pair p(SOCK_STREAM);
    const Folder f;
    const Fd file(::open((f / "x").c_str(), O_RDWR | O_CREAT, 0600));
    CHECK(::write(file, "content", 7) == 7);
    int ends[2];
    CHECK(::pipe(ends) == 0);
    send_files(p.a, "two", {file, ends[1]});
    ::close(ends[1]);
    std::string text;
    std::vector<int> got = receive_files(p.b, text);
    CHECK(text == "two" && got.size() == 2 && ::fcntl(got[0], F_GETFD) == FD_CLOEXEC);
    char content[8];
    CHECK(::pread(got[0], content, 8, 0) == 7 && std::memcmp(content, "content", 7) == 0);
    CHECK(::lseek(got[0], 0, SEEK_CUR) == 7);  // one open file
    CHECK(::write(got[1], "p", 1) == 1);
    for (int fd : got)
        ::close(fd);
    CHECK(::read(ends[0], content, 8) == 1 && ::read(ends[0], content, 8) == 0);
    ::close(ends[0]);
    // No room: they are closed.
    CHECK(::pipe(ends) == 0);
    send_files(p.a, "lost", {ends[1]});
    ::close(ends[1]);
    int flags = 0;
    got = receive_files(p.b, text, &flags, 0);
    CHECK(got.empty() && (flags & MSG_CTRUNC) && ::read(ends[0], content, 8) == 0);
    ::close(ends[0]);
}

void descriptors_to_a_child() {
    Pair p(SOCK_STREAM);
    const pid_t child = ::fork();
    if (child == 0) {
        try {
            std::string text;
            const std::vector<int> got = receive_files(p.b, text);
            ::_exit(got.size() == 1 && ::write(got[0], "from the child", 14) == 14 ? 0 : 1);
        } catch (...) {
            ::_exit(2);
        }
    }
    const Folder f;
    const Fd file(::open((f / "x").c_str(), O_RDWR | O_CREAT, 0600));
    send_files(p.a, "f", {file});
    int status;
    CHECK(::waitpid(child, &status, 0) == child && status == 0);
    char text[32];
    CHECK(::pread(file, text, 32, 0) == 14);
}

// Two sockets that are only in each other's queues go away, with what else is there.
void cycles_go_away() {
    int ends[2];
    CHECK(::pipe(ends) == 0);
    {
        Pair p(SOCK_STREAM), q(SOCK_STREAM);
        send_files(p.a, "1", {q.b});
        send_files(q.a, "2", {p.b});
        send_files(q.a, "3", {ends[1]});
        ::close(ends[1]);
    }
    // Linux collects when a socket closes, but beside it: what goes last may be left for the next
    // time.
    pollfd fd{ends[0], POLLIN, 0};
    for (int tries = 0; tries < 300 && ::poll(&fd, 1, 100) == 0; tries++)
        const Pair another(SOCK_STREAM);
    CHECK(fd.revents & POLLHUP);
    ::close(ends[0]);
}

void peer_ends() {
    Pair p(SOCK_STREAM);
    ::close(p.b);
    p.b = ::dup(0);
    pollfd fd{p.a, POLLIN | POLLOUT | POLLRDHUP, 0};
    CHECK(::poll(&fd, 1, 0) == 1 && (fd.revents & POLLHUP) && (fd.revents & POLLRDHUP));
    char byte;
    CHECK(::recv(p.a, &byte, 1, 0) == 0);
    CHECK_ERROR(::send(p.a, "x", 1, MSG_NOSIGNAL), EPIPE);
    CHECK(in_child([&] { (void)::send(p.a, "x", 1, 0); }) == 128 + SIGPIPE);
}

void timeouts() {
    Pair p(SOCK_STREAM);
    const timeval limit{0, 50000};
    CHECK(::setsockopt(p.a, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    char byte;
    CHECK_ERROR(::recv(p.a, &byte, 1, 0), EAGAIN);
    timeval back{};
    socklen_t size = sizeof back;
    CHECK(::getsockopt(p.a, SOL_SOCKET, SO_RCVTIMEO, &back, &size) == 0 && back.tv_usec > 40000 &&
          back.tv_usec <= 60000);
    CHECK_ERROR(::getsockopt(p.a, SOL_SOCKET, 12345, &back, &size), ENOPROTOOPT);
}

}  // namespace

const Case socket_cases[] = {
    {"stream_connection", stream_connection},
    {"stream_bulk", stream_bulk},
    {"packets", packets},
    {"passed_descriptors", passed_descriptors},
    {"descriptors_to_a_child", descriptors_to_a_child},
    {"cycles_go_away", cycles_go_away},
    {"peer_ends", peer_ends},
    {"timeouts", timeouts},
};
const unsigned socket_case_count = std::size(socket_cases);

}  // namespace skep::files_test
