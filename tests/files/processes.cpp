// How processes end.
#include "check.hpp"

#include <sys/syscall.h>

#include <csignal>
#include <thread>

namespace skep::files_test {

namespace {

// Whoever kills the own process does nothing after that, whichever of its threads takes the signal.
void a_kill_is_final() {
    constexpr int kRounds = 300, kThreads = 3;
    for (int round = 0; round < kRounds; round++)
        CHECK(in_child([] {
                  for (int i = 0; i < kThreads; i++)
                      std::thread([] {
                          for (;;)
                              ::syscall(SYS_getppid);
                      }).detach();
                  ::kill(::getpid(), SIGKILL);
                  ::_exit(0);
              }) == 128 + SIGKILL);
}

}  // namespace

const Case process_cases[] = {
    {"a_kill_is_final", a_kill_is_final},
};
const unsigned process_case_count = std::size(process_cases);

}  // namespace skep::files_test
