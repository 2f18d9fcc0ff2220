#include "mgmt/init/process.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

namespace skep::mgmt {
namespace {

constexpr const char* kConsole = "/dev/console";

void write_text(const std::string& text) {
    const char* data = text.data();
    auto left = text.size();
    while (left > 0) {
        auto count = ::write(STDERR_FILENO, data, left);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return;  // there is nobody else to tell
        data += count;
        left -= static_cast<std::size_t>(count);
    }
}

[[noreturn]] void become(const std::vector<std::string>& arguments) {
    ::setsid();
    ::ioctl(STDIN_FILENO, TIOCSCTTY, 0);
    std::vector<char*> argv;
    for (const auto& argument : arguments)
        argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    ::execvp(argv[0], argv.data());
    auto why = errno;
    write_text("init: cannot execute " + arguments[0] + ": " + std::strerror(why) + "\n");
    ::_exit(why == ENOENT ? 127 : 126);
}

[[noreturn]] void end_machine(int how) {
    ::sync();
    ::reboot(how);
    // Only a kernel that refuses comes here; process 1 must not end.
    say(std::string("the machine does not stop: ") + std::strerror(errno));
    for (;;)
        ::pause();
}

}  // namespace

void open_console() {
    struct stat info {};
    // The control kernel mounts devfs itself; another kernel may leave that to us.
    if (::stat(kConsole, &info) != 0) {
        ::mkdir("/dev", 0755);
        ::mount("devtmpfs", "/dev", "devtmpfs", 0, "");
    }
    for (int fd = 0; fd <= 2; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0)
            continue;
        int console = ::open(kConsole, O_RDWR);
        if (console >= 0 && console != fd) {
            ::dup2(console, fd);
            ::close(console);
        }
    }
}

void say(const std::string& text) {
    write_text("init: " + text + "\n");
}

pid_t start_on_console(const std::vector<std::string>& arguments) {
    if (arguments.empty()) {
        say("nothing to execute");
        return -1;
    }
    auto pid = ::fork();
    if (pid == 0)
        become(arguments);
    if (pid < 0)
        say("cannot make a process for " + arguments[0] + ": " + std::strerror(errno));
    return pid;
}

Ended wait_for_any() {
    for (;;) {
        Ended ended{};
        ended.pid = ::waitpid(-1, &ended.status, 0);
        if (ended.pid > 0 || (ended.pid < 0 && errno != EINTR))
            return ended;
    }
}

int exit_code(int status) {
    if (WIFEXITED(status))
        return WEXITSTATUS(status);
    return 128 + WTERMSIG(status);
}

int wait_for(pid_t pid) {
    for (;;) {
        auto ended = wait_for_any();
        if (ended.pid == pid)
            return exit_code(ended.status);
        if (ended.pid < 0)
            return 127;
    }
}

void power_off() {
    end_machine(RB_POWER_OFF);
}
void restart_machine() {
    end_machine(RB_AUTOBOOT);
}

}  // namespace skep::mgmt
