// skep-files-test [--list | CASE...]: what Linux promises of files, events and sockets, asked of
// the kernel that it runs on. The build host's Linux passes every case, and so must the control
// kernel.
#include "check.hpp"

#include <sys/wait.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string_view>

namespace skep::files_test {

Folder::Folder() {
    char pattern[] = "/tmp/files-XXXXXX";
    if (!::mkdtemp(pattern))
        wrong("mkdtemp", __LINE__, errno);
    path_ = pattern;
}

Folder::~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

int in_child(void (*body)(void*), void* argument) {
    const pid_t child = ::fork();
    if (child < 0)
        wrong("fork", __LINE__, errno);
    if (child == 0) {
        try {
            body(argument);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "child: %s\n", error.what());
            ::_exit(200);
        }
        ::_exit(0);
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child)
        wrong("waitpid", __LINE__, errno);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

namespace {

bool run(const Case& one) {
    try {
        one.run();
    } catch (const std::exception& error) {
        std::printf("FAILED %s: %s\n", one.name, error.what());
        return false;
    }
    std::printf("ok %s\n", one.name);
    std::fflush(stdout);
    return true;
}

}  // namespace
}  // namespace skep::files_test

int main(int argc, char** argv) {
    using namespace skep::files_test;
    const bool list = argc == 2 && std::string_view(argv[1]) == "--list";
    // Who starts programs in the background or by nohup(1) has them ignore these.
    for (const int number : {SIGHUP, SIGINT, SIGQUIT})
        ::signal(number, SIG_DFL);
    bool good = true;
    for (const std::span<const Case> cases :
         {std::span(file_cases, file_case_count), std::span(memory_cases, memory_case_count),
          std::span(event_cases, event_case_count), std::span(socket_cases, socket_case_count),
          std::span(terminal_cases, terminal_case_count),
          std::span(process_cases, process_case_count), std::span(timer_cases, timer_case_count),
          std::span(scheduling_cases, scheduling_case_count),
          std::span(robust_cases, robust_case_count)})
        for (const Case& one : cases) {
            bool wanted = argc == 1;
            for (int i = 1; i < argc; i++)
                wanted |= std::string_view(argv[i]) == one.name;
            if (list)
                std::puts(one.name);
            else if (wanted)
                good &= run(one);
        }
    return good ? 0 : 1;
}
