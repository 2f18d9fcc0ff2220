// skep-holds-test [CASE...]: exhausts the control kernel, one thing after the other, and measures
// that all comes back.
#include "cases.hpp"

#include <sys/sysinfo.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <thread>

namespace skep::holds_test {

void wrong(const char* what, int line, int error) {
    throw std::runtime_error(std::string(what) + ", line " + std::to_string(line) + ", errno " +
                             std::to_string(error) + " " + std::strerror(error));
}

namespace {

struct State {
    long free_kib;
    int threads;
};

State now() {
    struct sysinfo info;
    HOLDS(::sysinfo(&info) == 0);
    return {static_cast<long>(info.freeram / 1024 * info.mem_unit), info.procs};
}

// The last of what ended is given back by others (reapers, init), so the state is waited for.
bool comes_back(const State& before, State& after) {
    constexpr long kSlackKib = 3072;  // up to 63 stacks are kept, and slabs
    for (int i = 0; i < 600; i++) {
        after = now();
        if (after.threads == before.threads && after.free_kib + kSlackKib >= before.free_kib)
            return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
}

bool run(const Case& one, bool measured) {
    const State before = now();
    try {
        one.run();
    } catch (const std::exception& error) {
        std::printf("FAILED %s: %s\n", one.name, error.what());
        std::fflush(stdout);
        return false;
    }
    State after{};
    if (!comes_back(before, after) && measured) {
        std::printf("FAILED %s: %d threads and %ld KiB free before, %d and %ld afterwards\n",
                    one.name, before.threads, before.free_kib, after.threads, after.free_kib);
        std::fflush(stdout);
        return false;
    }
    std::printf("%s %s (%ld KiB less)\n", measured ? "ok" : "ran", one.name,
                before.free_kib - after.free_kib);
    std::fflush(stdout);
    return true;
}

}  // namespace
}  // namespace skep::holds_test

int main(int argc, char** argv) {
    using namespace skep::holds_test;
    if (::getuid() != 0 || ::access("/dev/vmm", F_OK) != 0)
        if (!std::getenv("HOLDS_ANYWHERE")) {
            std::fputs(
                "this would exhaust the machine that it runs on; HOLDS_ANYWHERE=1 if that is "
                "meant\n",
                stderr);
            return 2;
        }
    bool good = true;
    for (const bool measured : {false, true})
        for (const Case& one : cases()) {
            bool wanted = argc == 1;
            for (int i = 1; i < argc; i++)
                wanted |= std::string_view(argv[i]) == one.name;
            if (wanted)
                good &= run(one, measured);
        }
    std::puts(good ? "all came back" : "not all is well");
    return good ? 0 : 1;
}
