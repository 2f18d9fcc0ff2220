// skep-threads-test: 64 threads and what they wait with. The sums are known; a lost wake-up hangs,
// a wrong one shows.
#include <pthread.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <barrier>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

namespace {

constexpr int kThreads = 64;

void check(bool condition, const char* what) {
    if (condition)
        return;
    std::printf("FAILED %s\n", what);
    std::fflush(stdout);
    std::_Exit(1);
}

void together(const std::function<void(int)>& body) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; i++)
        threads.emplace_back(body, i);
    for (std::thread& thread : threads)
        thread.join();
}

void mutexes() {
    constexpr int kRounds = 500;
    std::mutex mutex;
    long sum = 0;
    together([&](int i) {
        for (int n = 0; n < kRounds; n++) {
            std::lock_guard guard(mutex);
            sum += i;
            if (n % 50 == 0)
                std::this_thread::yield();  // while it holds the lock
        }
    });
    check(sum == long{kRounds} * kThreads * (kThreads - 1) / 2, "sum under a mutex");
}

// A token that goes round: each thread wakes exactly the next one.
void ring() {
    constexpr int kRounds = 20;
    std::mutex mutex;
    std::vector<std::condition_variable> turns(kThreads);
    int token = 0;
    together([&](int i) {
        for (int round = 0; round < kRounds; round++) {
            std::unique_lock lock(mutex);
            turns[static_cast<std::size_t>(i)].wait(lock,
                                                    [&] { return token == round * kThreads + i; });
            token++;
            turns[static_cast<std::size_t>((i + 1) % kThreads)].notify_one();
        }
    });
    check(token == kRounds * kThreads, "token of the ring");
}

void barriers() {
    constexpr int kRounds = 20;
    int completed = 0;
    std::barrier barrier(kThreads, [&]() noexcept { completed++; });
    std::atomic<int> arrived = 0;
    together([&](int) {
        for (int round = 1; round <= kRounds; round++) {
            arrived++;
            barrier.arrive_and_wait();
            check(arrived >= round * kThreads, "everyone arrived");
        }
    });
    check(completed == kRounds, "rounds of the barrier");
}

void queue() {
    constexpr int kItems = 300;
    std::mutex mutex;
    std::condition_variable filled, emptied;
    std::deque<int> items;
    long sum = 0;
    together([&](int i) {
        for (int n = 0; n < kItems; n++) {
            std::unique_lock lock(mutex);
            if (i % 2) {
                emptied.wait(lock, [&] { return items.size() < 4; });
                items.push_back(n);
                filled.notify_one();
            } else {
                filled.wait(lock, [&] { return !items.empty(); });
                sum += items.front();
                items.pop_front();
                emptied.notify_one();
            }
        }
    });
    check(items.empty() && sum == long{kThreads / 2} * kItems * (kItems - 1) / 2,
          "sum through the queue");
}

void readers_and_writers() {
    std::shared_mutex mutex;
    long a = 0, b = 0;
    together([&](int i) {
        for (int n = 0; n < 100; n++)
            if (i % 8 == 0) {
                std::lock_guard guard(mutex);
                a++;
                std::this_thread::yield();
                b++;
            } else {
                std::shared_lock guard(mutex);
                check(a == b, "readers see whole writes");
            }
    });
    check(a == 100 * kThreads / 8, "writes");
}

void semaphores() {
    sem_t semaphore;
    sem_init(&semaphore, 0, 3);
    std::atomic<int> inside = 0, most = 0;
    together([&](int) {
        for (int n = 0; n < 50; n++) {
            while (sem_wait(&semaphore) != 0) {
            }
            const int now = ++inside;
            for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
            }
            std::this_thread::yield();
            --inside;
            sem_post(&semaphore);
        }
    });
    check(most >= 1 && most <= 3, "at most three inside");
    sem_destroy(&semaphore);
}

void timeouts() {
    std::timed_mutex held;
    held.lock();
    std::mutex mutex;
    std::condition_variable never;
    together([&](int i) {
        using namespace std::chrono_literals;
        const auto start = std::chrono::steady_clock::now();
        if (i % 2) {
            check(!held.try_lock_for(30ms), "a held mutex times out");
        } else {
            std::unique_lock lock(mutex);
            check(!never.wait_for(lock, 30ms, [] { return false; }), "nobody notifies");
        }
        check(std::chrono::steady_clock::now() - start >= 30ms, "not before its time");
    });
    held.unlock();
}

void many_short_lives() {
    std::atomic<int> lived = 0;
    together([&](int) {
        for (int n = 0; n < 4; n++) {
            auto one = std::async(std::launch::async, [&] { lived++; });
            one.get();
        }
    });
    check(lived == kThreads * 4, "short lives");
}

struct Shared {
    pthread_mutex_t mutex;
    pthread_cond_t turn;
    int value;
};

// Between processes; one dies with the lock, which the next one is told.
void processes() {
    auto* shared = static_cast<Shared*>(
        mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    check(shared != MAP_FAILED, "shared memory");
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&shared->mutex, &attributes);
    pthread_condattr_t condition;
    pthread_condattr_init(&condition);
    pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
    pthread_cond_init(&shared->turn, &condition);
    constexpr int kChildren = 8, kRounds = 50;
    for (int i = 0; i < kChildren; i++)
        if (fork() == 0) {
            for (int n = 0; n < kRounds; n++) {
                pthread_mutex_lock(&shared->mutex);
                while (shared->value % kChildren != i)
                    pthread_cond_wait(&shared->turn, &shared->mutex);
                shared->value++;
                pthread_cond_broadcast(&shared->turn);
                pthread_mutex_unlock(&shared->mutex);
            }
            std::_Exit(0);
        }
    for (int i = 0; i < kChildren; i++) {
        int status;
        check(wait(&status) > 0 && status == 0, "a child");
    }
    check(shared->value == kChildren * kRounds, "turns of the children");
    if (fork() == 0) {
        pthread_mutex_lock(&shared->mutex);
        std::_Exit(0);
    }
    wait(nullptr);
    check(pthread_mutex_lock(&shared->mutex) == EOWNERDEAD, "the owner is dead");
    check(
        pthread_mutex_consistent(&shared->mutex) == 0 && pthread_mutex_unlock(&shared->mutex) == 0,
        "made consistent");
}

void priority_inheritance() {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setprotocol(&attributes, PTHREAD_PRIO_INHERIT);
    pthread_mutex_t mutex;
    check(pthread_mutex_init(&mutex, &attributes) == 0, "a mutex that lends priority");
    long sum = 0;
    together([&](int i) {
        for (int n = 0; n < 50; n++) {
            check(pthread_mutex_lock(&mutex) == 0, "lock");
            sum += i;
            check(pthread_mutex_unlock(&mutex) == 0, "unlock");
        }
    });
    check(sum == 50L * kThreads * (kThreads - 1) / 2, "sum under it");
}

}  // namespace

int main() {
    const struct {
        const char* name;
        void (*run)();
    } parts[] = {{"mutexes", mutexes},
                 {"ring", ring},
                 {"barriers", barriers},
                 {"queue", queue},
                 {"readers and writers", readers_and_writers},
                 {"semaphores", semaphores},
                 {"timeouts", timeouts},
                 {"many short lives", many_short_lives},
                 {"processes", processes},
                 {"priority inheritance", priority_inheritance}};
    for (const auto& part : parts) {
        part.run();
        std::printf("ok %s\n", part.name);
        std::fflush(stdout);
    }
    return 0;
}
