// bench-kernel: what a system call, a switch, a new program... cost, in ticks. It runs unchanged on
// the control kernel and on Linux. Each figure is the least of a few rounds, so that an interrupt
// in one of them does not count.
#include "ticks.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace skep::bench {
namespace {

constexpr int kRounds = 5;

void must(bool good, const char* what) {
    if (!good) {
        std::perror(what);
        std::exit(1);
    }
}

// The least, over the rounds, of what `f` takes, divided by how often it does it.
template <typename F>
void measure(const char* name, uint64_t times, F f) {
    uint64_t least = ~uint64_t{0};
    for (int i = 0; i < kRounds; i++) {
        const uint64_t start = ticks();
        f();
        least = std::min(least, ticks() - start);
    }
    std::printf("%s %llu\n", name, static_cast<unsigned long long>(least / times));
}

void null_call() {
    constexpr int kTimes = 2000;
    measure("null_call", kTimes, [] {
        for (int i = 0; i < kTimes; i++)
            ::syscall(SYS_getppid);
    });
}

// A byte to another process and back is two switches.
void pipe_switch() {
    constexpr int kTimes = 500;
    int to[2], from[2];
    must(::pipe(to) == 0 && ::pipe(from) == 0, "pipe");
    const pid_t child = ::fork();
    must(child >= 0, "fork");
    char byte = 0;
    if (child == 0) {
        ::close(to[1]);
        while (::read(to[0], &byte, 1) == 1 && ::write(from[1], &byte, 1) == 1) {
        }
        ::_exit(0);
    }
    measure("pipe_switch", 2 * kTimes, [&] {
        for (int i = 0; i < kTimes; i++)
            must(::write(to[1], &byte, 1) == 1 && ::read(from[0], &byte, 1) == 1, "pipe");
    });
    ::close(to[1]);
    ::waitpid(child, nullptr, 0);
    ::close(to[0]), ::close(from[0]), ::close(from[1]);
}

void fork_exec_wait() {
    constexpr int kTimes = 5;
    measure("fork_exec_wait", kTimes, [] {
        for (int i = 0; i < kTimes; i++) {
            const pid_t child = ::fork();
            must(child >= 0, "fork");
            if (child == 0) {
                ::execl("/proc/self/exe", "bench-kernel", "nothing", nullptr);
                ::_exit(1);
            }
            int status = 1;
            must(::waitpid(child, &status, 0) == child && status == 0, "exec");
        }
    });
}

void page_fault() {
    constexpr std::size_t kPages = 512, kPage = 4096;
    uint64_t least = ~uint64_t{0};
    for (int i = 0; i < kRounds; i++) {
        auto* at = static_cast<volatile char*>(::mmap(
            nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        must(at != MAP_FAILED, "mmap");
        ::madvise(const_cast<char*>(at), kPages * kPage, MADV_NOHUGEPAGE);
        const uint64_t start = ticks();
        for (std::size_t page = 0; page < kPages; page++)
            at[page * kPage] = 1;
        least = std::min(least, ticks() - start);
        ::munmap(const_cast<char*>(at), kPages * kPage);
    }
    std::printf("page_fault %llu\n", static_cast<unsigned long long>(least / kPages));
}

void pipe_64k() {
    constexpr int kTimes = 32;
    static char data[65536];
    int ends[2], done[2];
    must(::pipe(ends) == 0 && ::pipe(done) == 0, "pipe");
    const pid_t child = ::fork();
    must(child >= 0, "fork");
    if (child == 0) {
        ::close(ends[1]);
        std::size_t got = 0;
        for (ssize_t n; (n = ::read(ends[0], data, sizeof data)) > 0;)
            if ((got += static_cast<std::size_t>(n)) == kTimes * sizeof data) {
                got = 0;
                (void)!::write(done[1], data, 1);
            }
        ::_exit(0);
    }
    measure("pipe_64k", kTimes, [&] {
        for (int i = 0; i < kTimes; i++)
            must(::write(ends[1], data, sizeof data) == sizeof data, "write");
        must(::read(done[0], data, 1) == 1, "read");
    });
    ::close(ends[1]);
    ::waitpid(child, nullptr, 0);
}

// From a write to an eventfd to the return of epoll_wait in another process: half a round.
void event_wake() {
    constexpr int kTimes = 300;
    const int to = ::eventfd(0, EFD_NONBLOCK), from = ::eventfd(0, EFD_NONBLOCK);
    auto wait_and_read = [](int queue, int fd) {
        epoll_event event{};
        uint64_t value;
        must(::epoll_wait(queue, &event, 1, -1) == 1 &&
                 ::read(fd, &value, sizeof value) == sizeof value,
             "epoll");
        return value;
    };
    auto queue_of = [](int fd) {
        const int queue = ::epoll_create1(0);
        epoll_event event{.events = EPOLLIN, .data = {}};
        must(queue >= 0 && ::epoll_ctl(queue, EPOLL_CTL_ADD, fd, &event) == 0, "epoll");
        return queue;
    };
    const uint64_t one = 1, last = 2;
    const pid_t child = ::fork();
    must(child >= 0, "fork");
    if (child == 0) {
        const int queue = queue_of(to);
        while (wait_and_read(queue, to) != last)
            (void)!::write(from, &one, sizeof one);
        ::_exit(0);
    }
    const int queue = queue_of(from);
    measure("event_wake", 2 * kTimes, [&] {
        for (int i = 0; i < kTimes; i++) {
            must(::write(to, &one, sizeof one) == sizeof one, "write");
            wait_and_read(queue, from);
        }
    });
    must(::write(to, &last, sizeof last) == sizeof last, "write");
    ::waitpid(child, nullptr, 0);
}

// Uptime in ticks: since the kernel's clock began.
void since_boot() {
    timespec up{}, later{};
    ::clock_gettime(CLOCK_BOOTTIME, &up);
    const uint64_t at = ticks();
    do
        ::clock_gettime(CLOCK_BOOTTIME, &later);
    while ((later.tv_sec - up.tv_sec) * 1000 + (later.tv_nsec - up.tv_nsec) / 1'000'000 < 20);
    const double seconds = static_cast<double>(later.tv_sec - up.tv_sec) +
                           static_cast<double>(later.tv_nsec - up.tv_nsec) * 1e-9;
    const double frequency = static_cast<double>(ticks() - at) / seconds;
    std::printf(
        "since_boot %.0f\n",
        (static_cast<double>(up.tv_sec) + static_cast<double>(up.tv_nsec) * 1e-9) * frequency);
}

void memory_free() {
    struct sysinfo info;
    must(::sysinfo(&info) == 0, "sysinfo");
    std::printf("memory_free %lu\n", info.freeram * info.mem_unit / 1024);
}

}  // namespace
}  // namespace skep::bench

int main(int argc, char**) {
    using namespace skep::bench;
    if (argc > 1)
        return 0;
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    since_boot();
    memory_free();
    null_call();
    page_fault();
    pipe_switch();
    event_wake();
    pipe_64k();
    fork_exec_wait();
}
