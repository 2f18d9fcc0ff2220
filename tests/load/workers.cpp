#include "workers.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace skep::load_test {

namespace {

#define GOOD(condition)                                                                       \
    do {                                                                                      \
        if (!(condition))                                                                     \
            throw std::runtime_error(std::string(#condition) + ", line " +                    \
                                     std::to_string(__LINE__) + ": " + std::strerror(errno)); \
    } while (0)

std::uint64_t next(std::uint64_t& state) {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

void fill(std::vector<unsigned char>& data, std::uint64_t seed) {
    seed |= 1;
    for (unsigned char& byte : data)
        byte = static_cast<unsigned char>(next(seed) >> 24);
}

void write_all(int to, const std::vector<unsigned char>& data) {
    for (std::size_t done = 0; done < data.size();) {
        const ssize_t n = ::write(to, data.data() + done, data.size() - done);
        GOOD(n > 0);
        done += static_cast<std::size_t>(n);
    }
}

void read_and_compare(int from, const std::vector<unsigned char>& expected) {
    std::vector<unsigned char> got(expected.size());
    for (std::size_t done = 0; done < got.size();) {
        const ssize_t n = ::read(from, got.data() + done, got.size() - done);
        GOOD(n > 0);
        done += static_cast<std::size_t>(n);
    }
    GOOD(got == expected);
}

// A child writes, this process reads and compares.
void through(int reading, int writing, std::uint64_t& random) {
    std::vector<unsigned char> data(1 + next(random) % 200000);
    fill(data, next(random));
    const pid_t child = ::fork();
    GOOD(child >= 0);
    if (child == 0) {
        ::close(reading);
        try {
            write_all(writing, data);
        } catch (...) {
            ::_exit(1);
        }
        ::_exit(0);
    }
    ::close(writing);
    read_and_compare(reading, data);
    char rest;
    GOOD(::read(reading, &rest, 1) == 0);
    ::close(reading);
    int status = 1;
    GOOD(::waitpid(child, &status, 0) == child && status == 0);
}

void pipes(std::uint64_t& random) {
    int ends[2];
    GOOD(::pipe(ends) == 0);
    through(ends[0], ends[1], random);
}

void unix_sockets(std::uint64_t& random) {
    int ends[2];
    GOOD(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    through(ends[0], ends[1], random);
}

void programs(std::uint64_t& random) {
    const int wanted = static_cast<int>(next(random) % 100) + 1;
    const std::string text = std::to_string(wanted);
    const bool fast = next(random) % 2;
    const pid_t child = fast ? ::vfork() : ::fork();
    GOOD(child >= 0);
    if (child == 0) {
        ::execl("/proc/self/exe", "skep-load-test", "exit", text.c_str(), nullptr);
        ::_exit(255);
    }
    int status = 0;
    GOOD(::waitpid(child, &status, 0) == child);
    GOOD(WIFEXITED(status) && WEXITSTATUS(status) == wanted);
}

void files(std::uint64_t& random) {
    const std::string name = "/tmp/load-" + std::to_string(::getpid()), other = name + "-renamed";
    std::vector<unsigned char> data(1 + next(random) % 100000);
    fill(data, next(random));
    const int file = ::open(name.c_str(), O_CREAT | O_RDWR | O_TRUNC, 0600);
    GOOD(file >= 0);
    write_all(file, data);
    GOOD(::rename(name.c_str(), other.c_str()) == 0);
    void* at = ::mmap(nullptr, data.size(), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    GOOD(at != MAP_FAILED);
    GOOD(std::memcmp(at, data.data(), data.size()) == 0);
    static_cast<unsigned char*>(at)[data.size() / 2] ^= 1;
    data[data.size() / 2] ^= 1;
    GOOD(::munmap(at, data.size()) == 0);
    GOOD(::lseek(file, 0, SEEK_SET) == 0);
    read_and_compare(file, data);
    GOOD(::unlink(other.c_str()) == 0);
    ::close(file);
}

void tcp(std::uint64_t& random) {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    GOOD(listener >= 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    GOOD(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 &&
         ::listen(listener, 4) == 0);
    GOOD(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    const int client = ::socket(AF_INET, SOCK_STREAM, 0);
    GOOD(client >= 0 &&
         ::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    const int served = ::accept(listener, nullptr, nullptr);
    GOOD(served >= 0);
    ::close(listener);
    through(served, client, random);
}

// A queue between threads: mutexes, condition variables, their futexes.
void threads(std::uint64_t& random) {
    std::mutex lock;
    std::condition_variable more, room;
    std::vector<std::uint64_t> queue;
    std::atomic<std::uint64_t> got{0};
    const unsigned each = 50 + static_cast<unsigned>(next(random) % 200);
    constexpr unsigned kPairs = 4;
    std::vector<std::thread> all;
    for (unsigned t = 0; t < kPairs; t++) {
        all.emplace_back([&] {
            for (unsigned i = 1; i <= each; i++) {
                std::unique_lock held(lock);
                room.wait(held, [&] { return queue.size() < 8; });
                queue.push_back(i);
                more.notify_one();
            }
        });
        all.emplace_back([&] {
            for (unsigned i = 1; i <= each; i++) {
                std::unique_lock held(lock);
                more.wait(held, [&] { return !queue.empty(); });
                got += queue.back();
                queue.pop_back();
                room.notify_one();
            }
        });
    }
    for (std::thread& t : all)
        t.join();
    GOOD(got == std::uint64_t{kPairs} * each * (each + 1) / 2);
}

volatile sig_atomic_t alarms;

// Interrupted sleeps, a child that is stopped, continued and killed.
void signals(std::uint64_t&) {
    struct sigaction action {};
    action.sa_handler = [](int) { alarms = alarms + 1; };
    GOOD(::sigaction(SIGALRM, &action, nullptr) == 0);
    alarms = 0;
    const itimerval often{{0, 1000}, {0, 1000}}, never{};
    GOOD(::setitimer(ITIMER_REAL, &often, nullptr) == 0);
    const pid_t child = ::fork();
    if (child == 0)
        for (;;)
            ::pause();
    while (alarms < 5)
        ::usleep(1000);
    GOOD(::setitimer(ITIMER_REAL, &never, nullptr) == 0);
    GOOD(child >= 0);
    int status = 0;
    GOOD(::kill(child, SIGSTOP) == 0 && ::waitpid(child, &status, WUNTRACED) == child &&
         WIFSTOPPED(status));
    GOOD(::kill(child, SIGCONT) == 0 && ::waitpid(child, &status, WCONTINUED) == child &&
         WIFCONTINUED(status));
    GOOD(::kill(child, SIGKILL) == 0 && ::waitpid(child, &status, 0) == child &&
         WIFSIGNALED(status));
}

// Mappings that come, go, change their rights and are copied by a fork, while another thread
// faults.
void memory(std::uint64_t& random) {
    constexpr std::size_t kPages = 64, kPage = 4096;
    auto* at = static_cast<volatile unsigned*>(::mmap(
        nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    GOOD(at != MAP_FAILED);
    auto word = [&](std::size_t page) -> volatile unsigned& {
        return at[page * kPage / sizeof(unsigned)];
    };
    const auto mark = static_cast<unsigned>(next(random));
    std::thread toucher([&] {
        for (std::size_t page = 0; page < kPages; page += 2)
            word(page) = mark + static_cast<unsigned>(page);
    });
    for (std::size_t page = 1; page < kPages; page += 2)
        word(page) = mark + static_cast<unsigned>(page);
    toucher.join();
    const pid_t child = ::fork();
    if (child == 0) {
        for (std::size_t page = 0; page < kPages; page++)
            if (word(page) != mark + page)
                ::_exit(1);
            else
                word(page) = 0;
        ::_exit(0);
    }
    GOOD(child >= 0);
    GOOD(::mprotect(const_cast<unsigned*>(at), kPages * kPage / 2, PROT_READ) == 0);
    GOOD(::mprotect(const_cast<unsigned*>(at), kPages * kPage / 2, PROT_READ | PROT_WRITE) == 0);
    for (std::size_t page = 0; page < kPages; page++) {
        GOOD(word(page) == mark + page);
        word(page) = 1;
    }
    int status = 1;
    GOOD(::waitpid(child, &status, 0) == child && status == 0);
    GOOD(::munmap(const_cast<unsigned*>(at), kPages * kPage) == 0);
}

constexpr Kind kKinds[] = {{"programs", programs}, {"pipes", pipes},  {"files", files},
                           {"unix", unix_sockets}, {"tcp", tcp},      {"threads", threads},
                           {"signals", signals},   {"memory", memory}};

}  // namespace

std::span<const Kind> kinds() {
    return kKinds;
}

}  // namespace skep::load_test
