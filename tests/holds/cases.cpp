#include "cases.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <semaphore.h>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <vector>

namespace skep::holds_test {

namespace {

// Runs `body` in a child; -> its exit status, or 128 + signal. 200: it threw.
template <typename F>
int in_child(F body) {
    std::fflush(stdout);
    const pid_t child = ::fork();
    HOLDS(child >= 0);
    if (child == 0) {
        try {
            body();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "child: %s\n", error.what());
            ::_exit(200);
        }
        ::_exit(0);
    }
    int status = 0;
    HOLDS(::waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// A program can still be made, and it runs.
void others_go_on() {
    HOLDS(in_child([] { ::_exit(42); }) == 42);
}

// Memory that two processes count in.
struct Shared {
    std::atomic<int> count{0}, error{0};
};
Shared& shared() {
    void* at =
        ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    HOLDS(at != MAP_FAILED);
    return *new (at) Shared;
}
struct Unmap {
    Shared& what;
    ~Unmap() { ::munmap(&what, sizeof what); }
};

// --- processes and threads ---

// Every process makes another until it cannot; all live until their group is killed.
void fork_bomb() {
    Shared& made = shared();
    const Unmap unmap{made};
    const int status = in_child([&] {
        HOLDS(::setpgid(0, 0) == 0);
        HOLDS(::signal(SIGTERM, SIG_IGN) != SIG_ERR);
        for (;;) {
            const pid_t child = ::fork();
            if (child < 0) {
                made.error = errno;
                break;
            }
            made.count++;
            if (child == 0)
                for (;;) {  // each makes some of its own
                    const pid_t more = ::fork();
                    if (more < 0 || made.error)
                        for (;;)
                            ::pause();
                    made.count++;
                }
        }
        ::kill(0, SIGKILL);
    });
    HOLDS(status == 128 + SIGKILL);
    HOLDS(made.error == EAGAIN || made.error == ENOMEM);
    HOLDS(made.count > 500);
    others_go_on();
}

// Children that nobody waits for, and orphans, which init collects.
void zombies() {
    HOLDS(in_child([] {
              for (int i = 0; i < 300; i++) {
                  const pid_t child = ::fork();
                  HOLDS(child >= 0);
                  if (child == 0) {
                      if (i % 2 && ::fork() == 0)
                          ::usleep(1000);
                      ::_exit(0);
                  }
              }
          }) == 0);
}

void* wait_at(void* semaphore) {
    while (::sem_wait(static_cast<sem_t*>(semaphore)) != 0) {
    }
    return nullptr;
}

void threads() {
    HOLDS(in_child([] {
              sem_t go;
              HOLDS(::sem_init(&go, 0, 0) == 0);
              pthread_attr_t small;
              HOLDS(::pthread_attr_init(&small) == 0 &&
                    ::pthread_attr_setstacksize(&small, 16384) == 0);
              std::vector<pthread_t> all;
              int error = 0;
              for (pthread_t thread; !(error = ::pthread_create(&thread, &small, wait_at, &go));)
                  all.push_back(thread);
              HOLDS(error == EAGAIN || error == ENOMEM);
              HOLDS(all.size() > 500);
              for (std::size_t i = 0; i < all.size(); i++)
                  ::sem_post(&go);
              for (const pthread_t thread : all)
                  HOLDS(::pthread_join(thread, nullptr) == 0);
          }) == 0);
    // And with all of them there, the process is killed.
    HOLDS(in_child([] {
              sem_t go;
              HOLDS(::sem_init(&go, 0, 0) == 0);
              pthread_attr_t small;
              HOLDS(::pthread_attr_init(&small) == 0 &&
                    ::pthread_attr_setstacksize(&small, 16384) == 0);
              pthread_t thread;
              while (!::pthread_create(&thread, &small, wait_at, &go)) {
              }
              ::kill(::getpid(), SIGKILL);
          }) == 128 + SIGKILL);
}

// --- descriptors ---

// -> how many there were.
template <typename F>
int until_full(F make) {
    int made = 0;
    for (;; made++)
        if (make() < 0)
            break;
    HOLDS(errno == EMFILE || errno == ENFILE);
    ::close_range(3, ~0u, 0);
    return made;
}

void descriptors() {
    HOLDS(in_child([] {
              rlimit limit{};
              HOLDS(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
              limit.rlim_cur = 20000;
              HOLDS(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
              HOLDS(until_full([] { return ::open("/dev/null", O_RDONLY); }) == 19997);
              HOLDS(until_full([] { return ::dup(0); }) == 19997);
              HOLDS(until_full([] { return ::eventfd(0, 0); }) == 19997);
              HOLDS(until_full([] { return ::epoll_create1(0); }) > 0);
              HOLDS(until_full([] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }) == 19997);
              HOLDS(until_full([] { return ::memfd_create("x", 0); }) == 19997);
              int ends[2];
              // The last pair does not fit, and leaves nothing half open.
              HOLDS(until_full([&] { return ::pipe(ends); }) == 9998);
              HOLDS(until_full([&] { return ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends); }) ==
                    9998);
              HOLDS(::open("/dev/null", O_RDONLY) == 3);
          }) == 0);
    others_go_on();
}

// --- memory ---

void eat() {
    constexpr std::size_t kStep = 4 << 20;
    for (;;) {
        void* at =
            ::mmap(nullptr, kStep, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED)
            ::_exit(errno == ENOMEM ? 1 : 2);
        std::memset(at, 1, kStep);
    }
}

bool was_stopped(int status) {
    return status == 1 || status == 128 + SIGKILL;
}

void memory() {
    HOLDS(was_stopped(in_child(eat)));
    others_go_on();
}

void memory_by_many() {
    std::vector<pid_t> children;
    for (int i = 0; i < 4; i++) {
        const pid_t child = ::fork();
        HOLDS(child >= 0);
        if (child == 0)
            eat();
        children.push_back(child);
    }
    for (const pid_t child : children) {
        int status = 0;
        HOLDS(::waitpid(child, &status, 0) == child);
        HOLDS((WIFEXITED(status) && WEXITSTATUS(status) == 1) ||
              (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
    }
    others_go_on();
}

// More address space than there is of anything.
void address_space() {
    HOLDS(in_child([] {
              for (;;)
                  if (::mmap(nullptr, 1l << 40, PROT_READ,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) == MAP_FAILED)
                      break;
              HOLDS(errno == ENOMEM);
              int pieces = 0;
              for (;; pieces++) {  // neighbours that cannot be joined
                  const int rights = pieces % 2 ? PROT_READ : PROT_READ | PROT_WRITE;
                  if (::mmap(nullptr, 4096, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                      MAP_FAILED)
                      break;
                  if (pieces > 200000)
                      break;
              }
              HOLDS(pieces < 200000 && errno == ENOMEM);
          }) == 0);
}

// The kernel's own memory: what is written into channels that nobody reads.
void memory_of_the_kernel() {
    const int status = in_child([] {
        rlimit limit{};
        HOLDS(::getrlimit(RLIMIT_NOFILE, &limit) == 0);
        limit.rlim_cur = limit.rlim_max;
        HOLDS(::setrlimit(RLIMIT_NOFILE, &limit) == 0);
        static char data[65536];
        for (;;) {
            int ends[2];
            if (::pipe2(ends, O_NONBLOCK) < 0)
                break;
            if (::write(ends[1], data, sizeof data) < 0)
                break;
        }
        HOLDS(errno == ENOMEM || errno == EMFILE || errno == ENFILE);
    });
    HOLDS(status == 0 || status == 128 + SIGKILL);
    others_go_on();
}

// --- files ---

void full_tmpfs() {
    const int status = in_child([] {
        const int file = ::open("/tmp/full", O_CREAT | O_RDWR | O_TRUNC, 0600);
        HOLDS(file >= 0);
        static char data[1 << 20];
        while (::write(file, data, sizeof data) > 0) {
        }
        HOLDS(errno == ENOSPC);
        HOLDS(::pwrite(file, "x", 1, 0) == 1);  // what is there already stays writable
        const int second = ::open("/tmp/second", O_CREAT | O_RDWR, 0600);
        if (second < 0)
            HOLDS(errno == ENOSPC || errno == ENOMEM);
        else
            HOLDS(::write(second, data, sizeof data) < static_cast<ssize_t>(sizeof data));
        // A mapped page that cannot be had is told as such, and is nobody else's end.
        others_go_on();
        ::unlink("/tmp/second");
        HOLDS(::ftruncate(file, 0) == 0);
        HOLDS(::write(file, data, sizeof data) == sizeof data);
    });
    ::unlink("/tmp/second");
    HOLDS(::unlink("/tmp/full") == 0);
    HOLDS(status == 0);
}

void many_files() {
    HOLDS(::mkdir("/tmp/many", 0700) == 0);
    const int status = in_child([] {
        HOLDS(::chdir("/tmp/many") == 0);
        for (int i = 0; i < 20000; i++) {
            const int file = ::open(std::to_string(i).c_str(), O_CREAT | O_WRONLY, 0600);
            HOLDS(file >= 0);
            ::close(file);
        }
        for (int i = 0; i < 20000; i++)
            HOLDS(::unlink(std::to_string(i).c_str()) == 0);
    });
    HOLDS(::rmdir("/tmp/many") == 0);
    HOLDS(status == 0);
}

// --- channels that nobody reads ---

void fill(int end) {
    static const char data[4096] = {};
    HOLDS(::fcntl(end, F_SETFL, O_NONBLOCK) == 0);
    long total = 0;
    for (;;) {
        const ssize_t n = ::write(end, data, sizeof data);
        if (n < 0)
            break;
        total += n;
        HOLDS(total < 64 << 20);
    }
    HOLDS(errno == EAGAIN || errno == ENOBUFS);
    pollfd item{.fd = end, .events = POLLOUT, .revents = 0};
    HOLDS(::poll(&item, 1, 0) == 0);
}

void nobody_reads() {
    HOLDS(in_child([] {
              int ends[2];
              HOLDS(::pipe(ends) == 0);
              fill(ends[1]);
              HOLDS(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
              fill(ends[0]);
              HOLDS(::socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
              fill(ends[0]);
              HOLDS(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
              fill(ends[0]);
          }) == 0);
    // Who waits for room can be killed.
    for (const bool socket : {false, true}) {
        int ends[2];
        HOLDS((socket ? ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : ::pipe(ends)) == 0);
        const pid_t child = ::fork();
        HOLDS(child >= 0);
        if (child == 0) {
            static const char data[4096] = {};
            for (;;)
                (void)!::write(ends[1], data, sizeof data);
        }
        ::usleep(50000);
        HOLDS(::kill(child, SIGKILL) == 0);
        HOLDS(::waitpid(child, nullptr, 0) == child);
        ::close(ends[0]);
        ::close(ends[1]);
    }
}

// Sockets sent through each other and forgotten, with their own ends inside.
void sockets_in_sockets() {
    HOLDS(in_child([] {
              for (int i = 0; i < 2000; i++) {
                  int ends[2];
                  HOLDS(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
                  for (const int through : ends) {
                      char byte = 0;
                      iovec data{&byte, 1};
                      alignas(cmsghdr) char room[CMSG_SPACE(2 * sizeof(int))] = {};
                      msghdr message{};
                      message.msg_iov = &data;
                      message.msg_iovlen = 1;
                      message.msg_control = room;
                      message.msg_controllen = sizeof room;
                      cmsghdr* header = CMSG_FIRSTHDR(&message);
                      header->cmsg_level = SOL_SOCKET;
                      header->cmsg_type = SCM_RIGHTS;
                      header->cmsg_len = CMSG_LEN(sizeof ends);
                      std::memcpy(CMSG_DATA(header), ends, sizeof ends);
                      HOLDS(::sendmsg(through, &message, 0) == 1);
                  }
                  ::close(ends[0]);
                  ::close(ends[1]);
              }
          }) == 0);
}

constexpr Case kCases[] = {
    {"descriptors", descriptors},
    {"nobody_reads", nobody_reads},
    {"sockets_in_sockets", sockets_in_sockets},
    {"zombies", zombies},
    {"threads", threads},
    {"fork_bomb", fork_bomb},
    {"address_space", address_space},
    {"memory", memory},
    {"memory_by_many", memory_by_many},
    {"memory_of_the_kernel", memory_of_the_kernel},
    {"many_files", many_files},
    {"full_tmpfs", full_tmpfs},
};

}  // namespace

std::span<const Case> cases() {
    return kCases;
}

}  // namespace skep::holds_test
