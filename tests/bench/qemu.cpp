#include "tests/bench/qemu.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace skep::bench {

namespace {

constexpr const char* program = "/usr/bin/qemu-system-x86_64";
constexpr const char* monitor_path = "/tmp/qmp";
constexpr useconds_t retry_us = 2000;

[[noreturn]] void die(const std::string& what) {
    std::fprintf(stderr, "bench-qemu: %s: %s\n", what.c_str(), std::strerror(errno));
    std::exit(1);
}

}  // namespace

Qemu::Qemu(const std::vector<std::string>& arguments) {
    ::unlink(monitor_path);
    std::array<int, 2> output{};
    if (::pipe2(output.data(), O_CLOEXEC) != 0) {
        die("pipe");
    }
    process_ = ::fork();
    if (process_ < 0) {
        die("fork");
    }
    if (process_ == 0) {
        ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
        ::dup2(output[1], STDOUT_FILENO);
        std::vector<std::string> words{program,
                                       "-chardev",
                                       "stdio,id=s0,signal=off",
                                       "-serial",
                                       "chardev:s0",
                                       "-qmp",
                                       std::string("unix:") + monitor_path + ",server=on,wait=off",
                                       "-global",
                                       "migration.x-events=on"};
        words.insert(words.end(), arguments.begin(), arguments.end());
        std::vector<char*> pointers;
        for (std::string& word : words) {
            pointers.push_back(word.data());
        }
        pointers.push_back(nullptr);
        ::execv(program, pointers.data());
        die(program);
    }
    ::close(output[1]);
    console_ = output[0];
}

void Qemu::pump() {
    std::array<pollfd, 2> ready{pollfd{console_, POLLIN, 0}, pollfd{monitor_, POLLIN, 0}};
    if (::poll(ready.data(), ready.size(), -1) < 0) {
        die("poll");
    }
    std::array<char, 4096> bytes{};
    for (const auto& [source, text] :
         {std::pair{&ready[0], &printed_}, std::pair{&ready[1], &answered_}}) {
        if (source->revents != 0) {
            const ssize_t got = ::read(source->fd, bytes.data(), bytes.size());
            if (got <= 0) {
                die("QEMU ended; the guest's last words: " +
                    printed_.substr(printed_.size() < 500 ? 0 : printed_.size() - 500) + answered_);
            }
            text->append(bytes.data(), static_cast<size_t>(got));
        }
    }
}

void Qemu::wait_for(const std::string& text) {
    while (printed_.find(text) == std::string::npos) {
        pump();
    }
}

void Qemu::open_monitor() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, monitor_path, sizeof(address.sun_path) - 1);
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    while (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        if (errno != ENOENT && errno != ECONNREFUSED) {
            die(monitor_path);
        }
        ::usleep(retry_us);
    }
    monitor_ = socket;
    command(R"({"execute":"qmp_capabilities"})", "\"return\"");
}

void Qemu::command(const std::string& json, const std::string& answer, int fd) {
    answered_.clear();
    iovec data{const_cast<char*>(json.data()), json.size()};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    if (fd >= 0) {
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        cmsghdr* const header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
    }
    if (::sendmsg(monitor_, &message, MSG_NOSIGNAL) < 0) {
        die("monitor");
    }
    wait_for_event(answer);
}

void Qemu::wait_for_event(const std::string& text) {
    while (answered_.find(text) == std::string::npos) {
        if (answered_.find("\"error\"") != std::string::npos) {
            errno = EPROTO;
            die("monitor said " + answered_);
        }
        pump();
    }
}

void Qemu::quit() {
    constexpr const char* words = R"({"execute":"quit"})";
    if (::send(monitor_, words, std::strlen(words), MSG_NOSIGNAL) < 0) {
        die("monitor");
    }
    ::waitpid(process_, nullptr, 0);
    ::close(console_);
    ::close(monitor_);
}

}  // namespace skep::bench
