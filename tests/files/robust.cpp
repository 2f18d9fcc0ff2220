// Mutexes whose owner dies: glibc's robust ones, and the lists by which the kernel finds them.
#include "check.hpp"

#include <linux/futex.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <memory>
#include <thread>
#include <vector>

namespace skep::files_test {

namespace {

// In memory that children share.
struct Shared {
    pthread_mutex_t mutex;
    std::atomic<int> step;
};

class SharedMutex {
  public:
    explicit SharedMutex(int protocol)
        : shared_(static_cast<Shared*>(
              ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
        CHECK(shared_ != MAP_FAILED);
        pthread_mutexattr_t attributes;
        ::pthread_mutexattr_init(&attributes);
        CHECK(::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
        CHECK(::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
        CHECK(::pthread_mutexattr_setprotocol(&attributes, protocol) == 0);
        CHECK(::pthread_mutex_init(&shared_->mutex, &attributes) == 0);
    }
    ~SharedMutex() { ::munmap(shared_, 4096); }
    Shared* operator->() const { return shared_; }
    pthread_mutex_t* get() const { return &shared_->mutex; }

  private:
    Shared* shared_;
};

// The owner has died: the mutex is had, and made good.
void take_over(pthread_mutex_t* mutex, int (*lock)(pthread_mutex_t*)) {
    CHECK(lock(mutex) == EOWNERDEAD);
    CHECK(::pthread_mutex_consistent(mutex) == 0);
    CHECK(::pthread_mutex_unlock(mutex) == 0);
    CHECK(::pthread_mutex_lock(mutex) == 0);
    CHECK(::pthread_mutex_unlock(mutex) == 0);
}

void owner_dies(int protocol) {
    const SharedMutex mutex(protocol);
    std::thread([&] { ::pthread_mutex_lock(mutex.get()); }).join();
    take_over(mutex.get(), ::pthread_mutex_lock);

    // A process, killed; the other one sleeps already.
    const pid_t child = ::fork();
    CHECK(child >= 0);
    if (child == 0) {
        ::pthread_mutex_lock(mutex.get());
        mutex->step = 1;
        for (;;)
            ::pause();
    }
    while (mutex->step != 1)
        std::this_thread::yield();
    CHECK(::pthread_mutex_trylock(mutex.get()) == EBUSY);
    std::thread sleeper([&] { take_over(mutex.get(), ::pthread_mutex_lock); });
    const timespec pause{0, 20'000'000};
    ::nanosleep(&pause, nullptr);
    ::kill(child, SIGKILL);
    CHECK(::waitpid(child, nullptr, 0) == child);
    sleeper.join();

    // One whose program is replaced.
    CHECK(in_child([&] {
              CHECK(::pthread_mutex_lock(mutex.get()) == 0);
              ::execl("/proc/self/exe", "skep-files-test", "no such case", nullptr);
              CHECK(false);
          }) == 0);
    take_over(mutex.get(), ::pthread_mutex_trylock);

    // One that is not made good is lost.
    std::thread([&] { ::pthread_mutex_lock(mutex.get()); }).join();
    CHECK(::pthread_mutex_lock(mutex.get()) == EOWNERDEAD);
    CHECK(::pthread_mutex_unlock(mutex.get()) == 0);
    CHECK(::pthread_mutex_lock(mutex.get()) == ENOTRECOVERABLE);
}

void robust_mutex() {
    owner_dies(PTHREAD_PRIO_NONE);
}

void robust_pi_mutex() {
    owner_dies(PTHREAD_PRIO_INHERIT);
}

void many_robust_mutexes() {
    constexpr int kCount = 100;
    std::vector<std::unique_ptr<SharedMutex>> mutexes;
    for (int i = 0; i < kCount; i++)
        mutexes.push_back(std::make_unique<SharedMutex>(PTHREAD_PRIO_NONE));
    std::thread([&] {
        for (const auto& mutex : mutexes)
            ::pthread_mutex_lock(mutex->get());
    }).join();
    for (const auto& mutex : mutexes)
        take_over(mutex->get(), ::pthread_mutex_trylock);
}

long set_list(const void* head, std::size_t size = sizeof(robust_list_head)) {
    return ::syscall(SYS_set_robust_list, head, size);
}

// The kernel believes nothing of it.
void strange_robust_lists() {
    robust_list_head* head = nullptr;
    std::size_t size = 0;
    CHECK(::syscall(SYS_get_robust_list, 0, &head, &size) == 0);
    CHECK(size == sizeof(robust_list_head));
    CHECK_ERROR(set_list(head, 23), EINVAL);
    CHECK_ERROR(::syscall(SYS_get_robust_list, 0x3fff'ffff, &head, &size), ESRCH);
    CHECK_ERROR(::syscall(SYS_get_robust_list, 0, nullptr, &size), EFAULT);
    struct Lock {
        robust_list link;
        std::atomic<unsigned> word;
    } locks[3];
    robust_list_head ring{};
    ring.futex_offset = offsetof(Lock, word);
    auto dies_with = [&](robust_list_head* list) {
        std::thread([&] {
            const auto me = static_cast<unsigned>(::syscall(SYS_gettid));
            for (Lock& lock : locks)
                lock.word = me;
            locks[2].word = me + 1;  // another's
            set_list(list);
        }).join();
    };
    // A ring without its head; the head's one in transition is the second.
    ring.list.next = &locks[0].link;
    locks[0].link.next = &locks[2].link;
    locks[2].link.next = &locks[0].link;
    ring.list_op_pending = &locks[1].link;
    dies_with(&ring);
    CHECK(locks[0].word == FUTEX_OWNER_DIED && locks[1].word == FUTEX_OWNER_DIED);
    CHECK(!(locks[2].word & FUTEX_OWNER_DIED));
    // Pointers to nowhere.
    locks[0].link.next = reinterpret_cast<robust_list*>(16);
    ring.list_op_pending = reinterpret_cast<robust_list*>(~0ul - 64);
    dies_with(&ring);
    CHECK(locks[0].word == FUTEX_OWNER_DIED);
    dies_with(reinterpret_cast<robust_list_head*>(8));
    CHECK(!(locks[0].word & FUTEX_OWNER_DIED));
}

}  // namespace

const Case robust_cases[] = {
    {"robust_mutex", robust_mutex},
    {"robust_pi_mutex", robust_pi_mutex},
    {"many_robust_mutexes", many_robust_mutexes},
    {"strange_robust_lists", strange_robust_lists},
};
const unsigned robust_case_count = std::size(robust_cases);

}  // namespace skep::files_test
