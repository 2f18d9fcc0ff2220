// skep-fuzz-syscalls CALLS [SEED]: starts skep-fuzz-calls (beside it) until so many calls have been
// made.
#include "progress.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace skep::fuzz {
namespace {

namespace fs = std::filesystem;
constexpr unsigned kNobody = 65534;
constexpr long kPatienceMs = 300;  // without a call

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

struct State {
    long free_kib;
    int threads;
};
State now() {
    struct sysinfo info;
    if (::sysinfo(&info) != 0)
        fail("sysinfo");
    return {static_cast<long>(info.freeram / 1024 * info.mem_unit), info.procs};
}

void sleep_ms(long ms) {
    const timespec time{ms / 1000, ms % 1000 * 1'000'000};
    ::nanosleep(&time, nullptr);
}

std::vector<fs::path> entries_of(const fs::path& folder) {
    return {fs::directory_iterator(folder), fs::directory_iterator()};
}

// As remove_all(), which opens a folder inside the other and runs out of descriptors where a
// program has gone down for as long as it lived: here what is in a folder moves up first.
void remove_tree(const fs::path& top) {
    if (!fs::exists(fs::symlink_status(top)))
        return;
    unsigned moved = 0;
    for (auto entries = entries_of(top); !entries.empty(); entries = entries_of(top))
        for (const fs::path& entry : entries) {
            if (fs::is_directory(fs::symlink_status(entry)))
                for (const fs::path& inner : entries_of(entry))
                    fs::rename(inner, top / ("moved-" + std::to_string(moved++)));
            fs::remove(entry);
        }
    fs::remove(top);
}

class Rounds {
  public:
    explicit Rounds(const fs::path& calls) {
        reset_folder();
        for (const bool freebsd : {false, true}) {
            const fs::path copy = freebsd ? "/tmp/fuzz-calls-f" : "/tmp/fuzz-calls-l";
            fs::copy_file(calls, copy, fs::copy_options::overwrite_existing);
            std::fstream file(copy, std::ios::in | std::ios::out | std::ios::binary);
            file.seekp(EI_OSABI);
            file.put(static_cast<char>(freebsd ? ELFOSABI_FREEBSD : ELFOSABI_NONE));
            file.close();
            ::chmod(copy.c_str(), 0755);
        }
    }
    ~Rounds() {
        remove_tree("/tmp/fuzz");
        fs::remove("/tmp/fuzz-calls-l");
        fs::remove("/tmp/fuzz-calls-f");
    }

    // -> calls made.
    std::uint64_t one(std::uint64_t seed, std::uint64_t calls) {
        const bool freebsd = seed % 2;
        reset_folder();
        Progress& progress = map_progress();
        std::memcpy(progress.unknown, unknown_[freebsd], sizeof progress.unknown);
        if (std::getenv("FUZZ_VERBOSE")) {
            std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
            std::fflush(stdout);
        }
        const pid_t child = ::fork();
        if (child < 0)
            fail("fork");
        if (child == 0)
            become(freebsd, seed, calls);
        watch(child, progress);
        // It may have written there itself; then what it made does not count.
        const std::uint64_t made = progress.calls <= calls ? progress.calls : 0;
        std::memcpy(unknown_[freebsd], progress.unknown, sizeof progress.unknown);
        ::munmap(&progress, 4096);
        end_all();
        return made;
    }

  private:
    static void reset_folder() {
        remove_tree("/tmp/fuzz");
        ::mkdir("/tmp/fuzz", 0777);
        ::chmod("/tmp/fuzz", 0777);
    }
    static Progress& map_progress() {
        const int file = ::open(kProgressFile, O_RDWR | O_CREAT, 0666);
        if (file < 0 || ::ftruncate(file, 4096) != 0)
            fail(kProgressFile);
        ::fchmod(file, 0666);
        void* at = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        ::close(file);
        if (at == MAP_FAILED)
            fail("mmap");
        return *static_cast<Progress*>(at);
    }
    [[noreturn]] static void become(bool freebsd, std::uint64_t seed, std::uint64_t calls) {
        ::setsid();
        ::close_range(0, ~0u, 0);
        // Descriptors to play with; none of them is the console.
        const int null = ::open("/dev/null", O_RDWR);
        ::dup(null), ::dup(null);
        int ends[2];
        ::pipe2(ends, O_NONBLOCK);
        ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends);
        ::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends);
        ::epoll_create1(0);
        ::eventfd(1, EFD_NONBLOCK);
        ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        ::open("/tmp/fuzz/a", O_RDWR | O_CREAT, 0666);
        ::open("/dev/zero", O_RDWR);
        ::open("/proc/self", O_RDONLY | O_DIRECTORY);
        ::open("/tmp/fuzz", O_RDONLY | O_DIRECTORY);
        ::chdir("/tmp/fuzz");
        ::signal(SIGSYS, SIG_IGN);
        ::signal(SIGPIPE, SIG_IGN);
        if (::setresgid(kNobody, kNobody, kNobody) != 0 ||
            ::setresuid(kNobody, kNobody, kNobody) != 0)
            ::_exit(3);
        const std::string seed_text = std::to_string(seed), calls_text = std::to_string(calls);
        const char* arguments[] = {"skep-fuzz-calls", freebsd ? "f" : "l", seed_text.c_str(),
                                   calls_text.c_str(), nullptr};
        const char* environment[] = {nullptr};
        ::execve(freebsd ? "/tmp/fuzz-calls-f" : "/tmp/fuzz-calls-l", const_cast<char**>(arguments),
                 const_cast<char**>(environment));
        ::_exit(4);
    }
    // Until it ends, or makes no more calls.
    static void watch(pid_t child, const volatile Progress& progress) {
        std::uint64_t seen = 0;
        timespec last{};
        ::clock_gettime(CLOCK_MONOTONIC, &last);
        for (long pause = 1;; pause = pause < 50 ? pause * 2 : pause) {
            int status = 0;
            const pid_t got = ::waitpid(child, &status, WNOHANG | WUNTRACED);
            if (got < 0)
                fail("waitpid");
            if (got == child && !WIFSTOPPED(status)) {
                if (WIFEXITED(status) && WEXITSTATUS(status) != 0 && progress.calls == 0)
                    throw std::runtime_error("skep-fuzz-calls did not start: status " +
                                             std::to_string(WEXITSTATUS(status)));
                return;
            }
            timespec time{};
            ::clock_gettime(CLOCK_MONOTONIC, &time);
            if (progress.calls != seen) {
                seen = progress.calls;
                last = time;
                pause = 1;
            } else if (got == child || (time.tv_sec - last.tv_sec) * 1000 +
                                               (time.tv_nsec - last.tv_nsec) / 1'000'000 >
                                           kPatienceMs) {
                if (std::getenv("FUZZ_VERBOSE"))
                    std::printf("ended in call %llu\n",
                                static_cast<unsigned long long>(progress.last));
                ::kill(child, SIGKILL);
                if (::waitpid(child, &status, 0) != child)
                    fail("waitpid");
                return;
            }
            if (pause > 4)  // it may only wait: SIGUSR1 ends that
                ::kill(child, SIGUSR1);
            sleep_ms(pause);
        }
    }
    // What it left behind: processes in sessions of their own.
    static void end_all() {
        const pid_t killer = ::fork();
        if (killer < 0)
            fail("fork");
        if (killer == 0) {
            if (::setresuid(kNobody, kNobody, kNobody) == 0)
                ::kill(-1, SIGKILL);
            ::_exit(0);
        }
        ::waitpid(killer, nullptr, 0);
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {
        }
    }

    std::uint8_t unknown_[2][kNumbers] = {};
};

bool comes_back(const State& before) {
    constexpr long kSlackKib = 2048;  // stacks and slabs that are kept
    State after{};
    for (int i = 0; i < 600; i++) {
        after = now();
        if (after.threads <= before.threads && after.free_kib + kSlackKib >= before.free_kib) {
            std::printf("memory: %ld KiB less; %d threads as before\n",
                        before.free_kib - after.free_kib, after.threads);
            return true;
        }
        sleep_ms(50);
    }
    std::printf("FAILED: %d threads and %ld KiB free before, %d and %ld afterwards\n",
                before.threads, before.free_kib, after.threads, after.free_kib);
    return false;
}

int run(std::uint64_t wanted, std::uint64_t seed, const fs::path& calls) {
    constexpr std::uint64_t kEach = 5000, kWarm = 20;  // the first rounds fill caches
    std::uint64_t made = 0, rounds = 0;
    State before{};
    {
        Rounds start(calls);
        for (; made < wanted || rounds < kWarm; rounds++) {
            if (rounds == kWarm)
                before = now();
            made += start.one(seed + rounds, kEach);
            if (rounds % 500 == 499) {
                std::printf("%llu calls, %llu programs\n", static_cast<unsigned long long>(made),
                            static_cast<unsigned long long>(rounds + 1));
                std::fflush(stdout);
            }
        }
    }
    std::printf("%llu calls by %llu programs from seed %llu\n",
                static_cast<unsigned long long>(made), static_cast<unsigned long long>(rounds),
                static_cast<unsigned long long>(seed));
    if (rounds > kWarm && !comes_back(before))
        return 1;
    std::puts("alive");
    return 0;
}

}  // namespace
}  // namespace skep::fuzz

int main(int argc, char** argv) {
    if (argc < 2 || ::getuid() != 0) {
        std::fputs("usage: skep-fuzz-syscalls CALLS [SEED], as root of a machine that may break\n",
                   stderr);
        return 2;
    }
    try {
        return skep::fuzz::run(std::strtoull(argv[1], nullptr, 10),
                               argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1,
                               std::filesystem::path(argv[0]).parent_path() / "skep-fuzz-calls");
    } catch (const std::exception& error) {
        std::printf("FAILED: %s\n", error.what());
        return 1;
    }
}
