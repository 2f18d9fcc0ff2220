// skep-vmm: the process that owns every device of one guest. skepd starts it with three descriptors
// and speaks proto/skep/control/v1/control.proto to it.
#include <guestdev/control/server.hpp>
#include <guestdev/vmm/dev_vmm.hpp>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <exception>

namespace {

constexpr int kControlFd = 3, kVmmFd = 4, kConsoleFd = 5;
constexpr rlim_t kFilesMax = 128;  // what a request brings, and a few

// Keeps what it was given and no more. The kernel may not know all of these: then there is nothing
// to drop.
void drop_rights() {
    for (int fd = kConsoleFd + 1; fd < static_cast<int>(kFilesMax); fd++)
        close(fd);
    rlimit files = {kFilesMax, kFilesMax};
    (void)setrlimit(RLIMIT_NOFILE, &files);
    rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int run() {
    for (int fd : {kControlFd, kVmmFd, kConsoleFd}) {
        if (fcntl(fd, F_GETFD) < 0) {
            std::fprintf(stderr, "skep-vmm: descriptor %d is not open; skepd starts this program\n",
                         fd);
            return 2;
        }
    }
    drop_rights();
    skep::guestdev::DevVmm vmm(kVmmFd);
    skep::guestdev::Server server(kControlFd, kConsoleFd, vmm);
    auto status = server.serve();
    if (!status) {
        std::fprintf(stderr, "skep-vmm: %s\n", status.error().message.c_str());
        return 1;
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc == 2 && std::strcmp(argv[1], "--version") == 0) {
        std::puts("skep-vmm " SKEP_VERSION);
        return 0;
    }
    try {
        return run();
    } catch (const std::exception& error) {
        std::fprintf(stderr, "skep-vmm: %s\n", error.what());
        return 1;
    }
}
