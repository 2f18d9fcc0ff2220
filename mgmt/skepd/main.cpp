// skepd: the management daemon of the appliance.
//
// What it prints is read by people on the machine's console and by programs that drive the
// appliance; these lines keep their form:
//   skepd: certificate SHA-256 fingerprint: AA:BB:...
//   skepd: one-time token: XXXXX-XXXXX-XXXXX-XXXXX     (until somebody has logged in)
//   skepd: listening on HOST:PORT
//   skepd: API ready
#include "mgmt/skepd/daemon.hpp"
#include "mgmt/skepd/options.hpp"
#include "mgmt/skepd/server.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace {

int stop_pipe[2];

extern "C" void on_stop_signal(int) {
    [[maybe_unused]] auto written = ::write(stop_pipe[1], "", 1);
}

// A pipe and a handler, not sigwait: fewer kinds of system call.
void install_signals() {
    struct sigaction action {};
    action.sa_handler = on_stop_signal;
    ::sigaction(SIGTERM, &action, nullptr);
    ::sigaction(SIGINT, &action, nullptr);
    action.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &action, nullptr);
}

void wait_for_stop_signal() {
    char byte;
    while (::read(stop_pipe[0], &byte, 1) < 0 && errno == EINTR) {
    }
}

int report(const skep::mgmt::Error& error) {
    std::fprintf(stderr, "skepd: error: %s\n", error.message.c_str());
    if (!error.hint.empty())
        std::fprintf(stderr, "skepd: hint: %s\n", error.hint.c_str());
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    using namespace skep::mgmt;
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    auto options = parse_options(argc, argv);
    if (!options) {
        std::fputs(usage(), stderr);
        return report(options.error());
    }
    if (options->help) {
        std::fputs(usage(), stdout);
        return 0;
    }
    // Each arena reserves 64 MiB of addresses; two are enough for a daemon that waits most of the
    // time.
    ::mallopt(M_ARENA_MAX, 2);
    prepare_grpc_environment();
    if (::pipe2(stop_pipe, O_CLOEXEC) != 0)
        return report(system_error(errno, "cannot make a pipe"));
    install_signals();

    auto daemon = Daemon::start(*options);
    if (!daemon)
        return report(daemon.error());
    wait_for_stop_signal();
    std::puts("skepd: stopping");
    (*daemon)->stop();
    return 0;
}
