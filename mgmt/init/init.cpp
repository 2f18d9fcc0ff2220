// The first user program of the appliance.
//
// If /etc/skep/exec is there, prints "skep-exec: start\n", runs that command on the console, prints
// "\nskep-exec: exit N\n" and powers off. Otherwise it keeps skepd running, reaps orphans, and when
// skepd dies at once several times in a row gives the console to a shell. Signals, as busybox's
// poweroff and reboot send them: SIGUSR2 powers off, SIGTERM restarts the machine.
#include "mgmt/init/exec_file.hpp"
#include "mgmt/init/process.hpp"
#include "mgmt/init/restart_policy.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <string>

namespace {

using namespace skep::mgmt;

constexpr const char* kSkepd = "/usr/sbin/skepd";

std::string read_whole(const char* path, bool& found) {
    std::string content;
    int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    found = fd >= 0;
    char buffer[4096];
    for (ssize_t count = 0; found && (count = ::read(fd, buffer, sizeof buffer)) > 0;)
        content.append(buffer, static_cast<std::size_t>(count));
    if (found)
        ::close(fd);
    return content;
}

double seconds_now() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

extern "C" void on_end_signal(int number) {
    if (number == SIGUSR2)
        power_off();
    restart_machine();
}

void print(const std::string& line) {
    [[maybe_unused]] auto written = ::write(STDOUT_FILENO, line.data(), line.size());
}

[[noreturn]] void run_and_power_off(const std::vector<std::string>& arguments) {
    print("skep-exec: start\n");
    auto pid = start_on_console(arguments);
    int code = pid < 0 ? 127 : wait_for(pid);
    print("\nskep-exec: exit " + std::to_string(code) + "\n");
    power_off();
}

[[noreturn]] void keep_skepd_running() {
    RestartPolicy policy;
    for (;;) {
        auto start = seconds_now();
        auto pid = start_on_console({kSkepd});
        int code = pid < 0 ? 127 : wait_for(pid);
        auto lived = seconds_now() - start;
        say(std::string(kSkepd) + " ended with " + std::to_string(code));
        if (policy.ended_after(lived) == RestartPolicy::Action::Emergency) {
            say("it does not stay up: here is a shell; 'exit' tries again");
            auto shell = start_on_console({"/bin/busybox", "sh"});
            if (shell > 0)
                wait_for(shell);
            else
                ::sleep(10);
        }
        ::sleep(policy.delay_seconds());
    }
}

}  // namespace

int main() {
    open_console();
    ::setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 0);
    ::setenv("HOME", "/root", 0);
    ::setenv("TERM", "vt100", 0);
    std::signal(SIGUSR2, on_end_signal);
    std::signal(SIGTERM, on_end_signal);

    bool found = false;
    auto name = read_whole("/etc/hostname", found);
    if (found)
        ::sethostname(name.data(),
                      name.find('\n') == std::string::npos ? name.size() : name.find('\n'));
    auto content = read_whole(kExecFile, found);
    if (found)
        run_and_power_off(split_arguments(content));
    keep_skepd_running();
}
