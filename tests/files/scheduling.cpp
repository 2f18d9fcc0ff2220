// Who gets how much of a CPU: nice values, CPU clocks, load averages.
#include "check.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

namespace skep::files_test {

namespace {

double cpu_seconds(clockid_t clock) {
    timespec time{};
    CHECK(::clock_gettime(clock, &time) == 0);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}
double own_seconds() {
    return cpu_seconds(CLOCK_PROCESS_CPUTIME_ID);
}

// A word that a child may write and its parent read.
class Shared {
  public:
    Shared()
        : word_(static_cast<std::atomic<int>*>(
              ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
        CHECK(word_ != MAP_FAILED);
    }
    ~Shared() { ::munmap(word_, 4096); }
    std::atomic<int>& operator*() const { return *word_; }
    std::atomic<int>* operator->() const { return word_; }

  private:
    std::atomic<int>* word_;
};

// The test itself may have been started by nice(1).
int own_nice() {
    return ::getpriority(PRIO_PROCESS, 0);
}

// A child that uses the first CPU as much as it can, once `start` says so, and counts what it did.
pid_t busy_child(int nice, const Shared& start, const Shared& work) {
    const pid_t child = ::fork();
    CHECK(child >= 0);
    if (child)
        return child;
    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    if (::sched_setaffinity(0, sizeof first, &first) != 0 ||
        ::setpriority(PRIO_PROCESS, 0, nice) != 0)
        ::_exit(1);
    while (!*start)
        ::sched_yield();
    for (;;) {
        for (int i = 0; i < 1000; i++)
            asm volatile("");
        work->fetch_add(1, std::memory_order_relaxed);
    }
}

double seconds_of(pid_t child) {
    clockid_t clock;
    CHECK(::clock_getcpuclockid(child, &clock) == 0);
    return cpu_seconds(clock);
}

// Both want all of one CPU: the nicer one gets much less, and not nothing. By work, as time counts
// also while something below takes the CPU away.
void nice_shares() {
    const Shared start, plain_work, nice_work;
    const pid_t plain = busy_child(own_nice(), start, plain_work),
                nice = busy_child(19, start, nice_work);
    while (::getpriority(PRIO_PROCESS, static_cast<id_t>(nice)) != 19)
        ::sched_yield();
    const double before = seconds_of(plain) + seconds_of(nice);
    *start = 1;
    const timespec pause{0, 20'000'000};
    while (seconds_of(plain) + seconds_of(nice) < before + 3)
        ::nanosleep(&pause, nullptr);
    for (const pid_t child : {plain, nice}) {
        ::kill(child, SIGKILL);
        CHECK(::waitpid(child, nullptr, 0) == child);
    }
    CHECK(*nice_work > 0);
    if (*plain_work / 3 < *nice_work)
        throw std::runtime_error("plain did " + std::to_string(*plain_work) + ", nice 19 " +
                                 std::to_string(*nice_work));
}

int nice_in_proc() {
    std::ifstream file("/proc/self/stat");
    std::string text;
    std::getline(file, text);
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    std::string field;
    for (int i = 3; i <= 19; i++)
        fields >> field;
    return std::stoi(field);
}

void nice_values() {
    CHECK(in_child([] {
              const int base = own_nice(), more = base + 3, most = base + 5;
              CHECK(nice_in_proc() == base);
              CHECK(::setpriority(PRIO_PROCESS, 0, more) == 0);
              CHECK(own_nice() == more && nice_in_proc() == more);
              // Threads and children begin with it.
              CHECK(in_child([&] { CHECK(own_nice() == more); }) == 0);
              std::atomic<int> seen{-1};
              std::thread([&] {
                  if (own_nice() == more && ::setpriority(PRIO_PROCESS, 0, most) == 0)
                      seen = own_nice();
              }).join();
              CHECK(seen == most);
              CHECK(own_nice() == more);  // each thread has its own
              CHECK(::setpriority(PRIO_PROCESS, 0, 1000) == 0);
              CHECK(::getpriority(PRIO_PROCESS, 0) == 19);
              // A group: the least of its members counts.
              CHECK(::setpgid(0, 0) == 0);
              CHECK(::setpriority(PRIO_PGRP, 0, 19) == 0);
              CHECK(::getpriority(PRIO_PGRP, 0) == 19);
              errno = 0;
              CHECK_ERROR(::getpriority(PRIO_PROCESS, 0x3fff'ffff), ESRCH);
              CHECK_ERROR(::setpriority(PRIO_PROCESS, 0x3fff'ffff, 1), ESRCH);
              CHECK_ERROR(::syscall(SYS_getpriority, 3, 0), EINVAL);
              CHECK_ERROR(::syscall(SYS_setpriority, 3, 0, 0), EINVAL);
          }) == 0);
    if (::geteuid() != 0)
        return;
    CHECK(in_child([] {
              CHECK(::setpriority(PRIO_PROCESS, 0, -20) == 0);
              CHECK(::getpriority(PRIO_PROCESS, 0) == -20);
              CHECK(::setpriority(PRIO_PROCESS, 0, 0) == 0);
              CHECK(::setresuid(1000, 1000, 1000) == 0);
              CHECK(::setpriority(PRIO_PROCESS, 0, 5) == 0);
              CHECK_ERROR(::setpriority(PRIO_PROCESS, 0, 4), EACCES);
              CHECK_ERROR(::setpriority(PRIO_PROCESS, static_cast<id_t>(::getppid()), 5), EPERM);
              CHECK(::getpriority(PRIO_PROCESS, 0) == 5);
          }) == 0);
}

// The time of a thread that never leaves its CPU goes on, and is seen from elsewhere.
void cpu_clocks() {
    const Shared start, work;
    const pid_t child = busy_child(own_nice(), start, work);
    *start = 1;
    const double before = seconds_of(child);
    while (seconds_of(child) < before + 0.05)
        ::sched_yield();
    ::kill(child, SIGKILL);
    CHECK(::waitpid(child, nullptr, 0) == child);
    const double mine = own_seconds();
    double last = mine;
    while (last < mine + 0.02) {
        const double now = own_seconds();
        CHECK(now >= last);
        last = now;
    }
    CHECK(cpu_seconds(CLOCK_THREAD_CPUTIME_ID) <= own_seconds());
    rusage usage{};
    CHECK(::getrusage(RUSAGE_SELF, &usage) == 0);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    CHECK(seconds(usage.ru_utime) + seconds(usage.ru_stime) + 0.000002 >= last);
}

std::atomic<int> alarms;

// Alarms of processor time come to who works, not to who sleeps.
void cpu_alarms() {
    CHECK(in_child([] {
              for (const auto& [which, signal] :
                   {std::pair{ITIMER_PROF, SIGPROF}, std::pair{ITIMER_VIRTUAL, SIGVTALRM}}) {
                  alarms = 0;
                  CHECK(::signal(signal, [](int) { alarms++; }) != SIG_ERR);
                  const itimerval often{{0, 20'000}, {0, 20'000}};
                  const double before = own_seconds();
                  CHECK(::setitimer(which, &often, nullptr) == 0);
                  const timespec pause{0, 60'000'000};
                  ::nanosleep(&pause, nullptr);
                  CHECK(alarms == 0 || own_seconds() - before > 0.01);
                  while (alarms < 3) {
                  }
                  CHECK(own_seconds() - before > 0.03);  // Linux counts in ticks
                  itimerval old{};
                  const itimerval off{};
                  CHECK(::setitimer(which, &off, &old) == 0);
                  CHECK(old.it_interval.tv_usec == 20'000 && old.it_value.tv_sec == 0);
                  CHECK(::getitimer(which, &old) == 0);
                  CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_usec == 0);
              }
              CHECK_ERROR(::syscall(SYS_getitimer, 3, nullptr), EINVAL);
          }) == 0);
}

// A sample comes every five seconds.
void load_averages() {
    const Shared start, work;
    const pid_t child = busy_child(own_nice(), start, work);
    *start = 1;
    double loads[3] = {};
    const timespec pause{0, 100'000'000};
    for (int i = 0; i < 600 && loads[0] < 0.01; i++) {
        ::nanosleep(&pause, nullptr);
        CHECK(::getloadavg(loads, 3) == 3);
    }
    ::kill(child, SIGKILL);
    CHECK(::waitpid(child, nullptr, 0) == child);
    CHECK(loads[0] >= 0.01);
    std::ifstream file("/proc/loadavg");
    double one = 0, five = 0, fifteen = 0;
    int running = 0, all = 0;
    char slash = 0;
    file >> one >> five >> fifteen >> running >> slash >> all;
    CHECK(file && slash == '/' && running >= 1 && all >= running);
    struct sysinfo info {};
    CHECK(::sysinfo(&info) == 0);
    CHECK(info.loads[0] > 0);
}

}  // namespace

const Case scheduling_cases[] = {
    {"nice_shares", nice_shares}, {"nice_values", nice_values},     {"cpu_clocks", cpu_clocks},
    {"cpu_alarms", cpu_alarms},   {"load_averages", load_averages},
};
const unsigned scheduling_case_count = std::size(scheduling_cases);

}  // namespace skep::files_test
