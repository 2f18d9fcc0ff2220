// skep-load-test SECONDS [SEED]: all kinds of work at once, twice each.
#include "workers.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <new>
#include <string_view>

namespace skep::load_test {
namespace {

constexpr unsigned kEach = 2;

struct State {
    long free_kib;
    int threads;
};
State now() {
    struct sysinfo info {};
    ::sysinfo(&info);
    return {static_cast<long>(info.freeram / 1024 * info.mem_unit), info.procs};
}

double seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

[[noreturn]] void work(const Kind& kind, std::uint64_t seed, double until,
                       std::atomic<std::uint64_t>& turns) {
    std::uint64_t random = seed * 0x9e37'79b9'7f4a'7c15 | 1;
    try {
        do {
            kind.turn(random);
            turns++;
        } while (seconds() < until);
    } catch (const std::exception& error) {
        std::printf("FAILED %s: %s\n", kind.name, error.what());
        std::fflush(stdout);
        ::_exit(1);
    }
    ::_exit(0);
}

// -> whether all were well.
bool run(double time, std::uint64_t seed, bool shown) {
    using Count = std::atomic<std::uint64_t>;
    void* at = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return false;
    auto* turns = static_cast<Count*>(at);
    const double until = seconds() + time;
    std::size_t index = 0, left = 0;
    for (const Kind& kind : kinds())
        for (unsigned i = 0; i < kEach; i++, index++) {
            new (&turns[index]) Count(0);
            const pid_t child = ::fork();
            if (child == 0)
                work(kind, seed + index, until, turns[index]);
            left += child > 0;
        }
    bool good = left == index;
    for (; left; left--) {
        int status = 1;
        good = ::wait(&status) > 0 && status == 0 && good;
    }
    index = 0;
    for (const Kind& kind : kinds())
        for (unsigned i = 0; i < kEach; i++, index++) {
            if (shown)
                std::printf("%s: %llu turns\n", kind.name,
                            static_cast<unsigned long long>(turns[index]));
            good = good && turns[index] > 0;
        }
    ::munmap(at, 4096);
    return good;
}

bool comes_back(const State& before) {
    constexpr long kSlackKib = 2048;
    State after{};
    for (int i = 0; i < 400; i++) {
        after = now();
        if (after.threads == before.threads && after.free_kib + kSlackKib >= before.free_kib) {
            std::printf("%ld KiB less, %d threads as before\n", before.free_kib - after.free_kib,
                        after.threads);
            return true;
        }
        const timespec pause{0, 50'000'000};
        ::nanosleep(&pause, nullptr);
    }
    std::printf("FAILED: %d threads and %ld KiB free before, %d and %ld afterwards\n",
                before.threads, before.free_kib, after.threads, after.free_kib);
    return false;
}

}  // namespace
}  // namespace skep::load_test

int main(int argc, char** argv) {
    using namespace skep::load_test;
    if (argc == 3 && std::string_view(argv[1]) == "exit")
        return std::atoi(argv[2]);
    const double time = argc > 1 ? std::atof(argv[1]) : 10;
    const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
    // The first seconds fill caches.
    bool good = run(time < 20 ? time / 4 : 5, seed, false);
    const State before = now();
    good = run(time, seed + 1000, true) && good;
    good = comes_back(before) && good;
    std::puts(good ? "all is well" : "not all is well");
    return good ? 0 : 1;
}
