#include "mgmt/skepd/guest/spawn.hpp"

#include "mgmt/common/unique_fd.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>

#include <cerrno>

namespace skep::mgmt {
namespace {

// A copy above the numbers that the child's descriptors get, so that none overwrites another.
// Descriptors are close-on-exec everywhere in skepd; the copies made for the child are not.
UniqueFd copy_above(int fd) {
    return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 16));
}

struct FileActions {
    posix_spawn_file_actions_t actions;
    FileActions() { posix_spawn_file_actions_init(&actions); }
    ~FileActions() { posix_spawn_file_actions_destroy(&actions); }
};
struct Attributes {
    posix_spawnattr_t attributes;
    Attributes() { posix_spawnattr_init(&attributes); }
    ~Attributes() { posix_spawnattr_destroy(&attributes); }
};

}  // namespace

Result<pid_t> spawn_device_process(const std::string& program, const std::string& name, int control,
                                   int device, int console) {
    auto high_control = copy_above(control), high_device = copy_above(device),
         high_console = copy_above(console);
    if (!high_control || !high_device || !high_console)
        return fail(system_error(errno, "cannot copy a descriptor for " + program));
    FileActions files;
    posix_spawn_file_actions_addopen(&files.actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files.actions, high_control.get(), 3);
    posix_spawn_file_actions_adddup2(&files.actions, high_device.get(), 4);
    posix_spawn_file_actions_adddup2(&files.actions, high_console.get(), 5);
    // skepd ignores SIGPIPE; that would survive the exec.
    Attributes spawn;
    sigset_t defaults;
    ::sigemptyset(&defaults);
    ::sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&spawn.attributes, &defaults);
    posix_spawnattr_setflags(&spawn.attributes, POSIX_SPAWN_SETSIGDEF);

    char* argv[] = {const_cast<char*>(program.c_str()), const_cast<char*>(name.c_str()), nullptr};
    char* environment[] = {const_cast<char*>("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), nullptr};
    pid_t pid = -1;
    int error =
        ::posix_spawn(&pid, program.c_str(), &files.actions, &spawn.attributes, argv, environment);
    if (error != 0)
        return fail(system_error(error, "cannot start " + program));
    return pid;
}

}  // namespace skep::mgmt
