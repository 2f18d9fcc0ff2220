// timer_create(2), by the system calls themselves: glibc has a SIGEV_THREAD of its own on top.
#include "check.hpp"

#include <sys/syscall.h>

#include <atomic>
#include <csignal>
#include <ctime>
#include <thread>

namespace skep::files_test {

namespace {

constexpr long kMillisecond = 1'000'000;

int create(clockid_t clock, const sigevent* event, int* id) {
    return static_cast<int>(::syscall(SYS_timer_create, clock, event, id));
}
int set(int id, int flags, const itimerspec& setting, itimerspec* old = nullptr) {
    return static_cast<int>(::syscall(SYS_timer_settime, id, flags, &setting, old));
}
itimerspec get(int id) {
    itimerspec setting{};
    CHECK(::syscall(SYS_timer_gettime, id, &setting) == 0);
    return setting;
}
int overruns(int id) {
    return static_cast<int>(::syscall(SYS_timer_getoverrun, id));
}
int remove(int id) {
    return static_cast<int>(::syscall(SYS_timer_delete, id));
}

itimerspec after(long nanoseconds, long period = 0) {
    return {{0, period}, {0, nanoseconds}};
}

sigevent event_of(int how, int signal, int value = 0) {
    sigevent event{};
    event.sigev_notify = how;
    event.sigev_signo = signal;
    event.sigev_value.sival_int = value;
    return event;
}

// Blocks signals for a test; what is left of them goes with it.
class Blocked {
  public:
    explicit Blocked(std::initializer_list<int> signals) {
        ::sigemptyset(&set_);
        for (const int signal : signals)
            ::sigaddset(&set_, signal);
        CHECK(::pthread_sigmask(SIG_BLOCK, &set_, &old_) == 0);
    }
    ~Blocked() {
        const timespec now{};
        while (::sigtimedwait(&set_, nullptr, &now) > 0) {
        }
        ::pthread_sigmask(SIG_SETMASK, &old_, nullptr);
    }
    // Waits up to a minute.
    siginfo_t take() const {
        const timespec most{60, 0};
        siginfo_t info{};
        CHECK(::sigtimedwait(&set_, &info, &most) > 0);
        return info;
    }

  private:
    sigset_t set_, old_;
};

void timer_signals() {
    const Blocked blocked{SIGRTMIN + 1, SIGALRM};
    const sigevent event = event_of(SIGEV_SIGNAL, SIGRTMIN + 1, 77);
    int id = -1;
    CHECK(create(CLOCK_MONOTONIC, &event, &id) == 0);
    CHECK(get(id).it_value.tv_sec == 0 && get(id).it_value.tv_nsec == 0);
    CHECK(set(id, 0, after(2 * kMillisecond)) == 0);
    const siginfo_t info = blocked.take();
    CHECK(info.si_signo == SIGRTMIN + 1 && info.si_code == SI_TIMER);
    CHECK(info.si_timerid == id && info.si_value.sival_int == 77 && info.si_overrun == 0);
    CHECK(get(id).it_value.tv_nsec == 0);
    CHECK(overruns(id) == 0);
    // Again and again, until it is off.
    CHECK(set(id, 0, after(kMillisecond, kMillisecond)) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(blocked.take().si_timerid == id);
    CHECK(get(id).it_interval.tv_nsec == kMillisecond);
    itimerspec old{};
    CHECK(set(id, 0, {{0, 0}, {1000, 0}}, &old) == 0);
    CHECK(old.it_interval.tv_nsec == kMillisecond && old.it_value.tv_nsec <= kMillisecond);
    CHECK(get(id).it_value.tv_sec >= 900 && get(id).it_interval.tv_nsec == 0);
    CHECK(set(id, 0, {}) == 0);
    CHECK(get(id).it_value.tv_sec == 0 && get(id).it_value.tv_nsec == 0);
    CHECK(remove(id) == 0);
    CHECK_ERROR(remove(id), EINVAL);
    // Nothing said: SIGALRM, with the timer's number.
    CHECK(create(CLOCK_REALTIME, nullptr, &id) == 0);
    CHECK(set(id, 0, after(kMillisecond)) == 0);
    siginfo_t alarm;
    do
        alarm = blocked.take();
    while (alarm.si_signo != SIGALRM);
    CHECK(alarm.si_code == SI_TIMER && alarm.si_value.sival_int == id);
    CHECK(remove(id) == 0);
}

void timer_overruns() {
    const Blocked blocked{SIGUSR1};
    const sigevent event = event_of(SIGEV_SIGNAL, SIGUSR1);
    int id = -1;
    CHECK(create(CLOCK_MONOTONIC, &event, &id) == 0);
    CHECK(set(id, 0, after(kMillisecond, kMillisecond)) == 0);
    int most = 0;
    for (int i = 0; i < 1000 && most < 5; i++) {
        const timespec pause{0, 10 * kMillisecond};
        ::nanosleep(&pause, nullptr);
        const siginfo_t info = blocked.take();
        CHECK(overruns(id) == info.si_overrun);
        most = std::max(most, info.si_overrun);
    }
    CHECK(most >= 5);
    CHECK(remove(id) == 0);
}

void timer_of_a_thread() {
    const Blocked blocked{SIGUSR2};  // here and in the thread
    std::atomic<int> target{0}, got{0}, id{-1};
    std::thread thread([&] {
        target = static_cast<int>(::syscall(SYS_gettid));
        while (id == -1)
            std::this_thread::yield();
        got = blocked.take().si_timerid == id;
    });
    while (!target)
        std::this_thread::yield();
    sigevent event = event_of(SIGEV_SIGNAL | SIGEV_THREAD_ID, SIGUSR2);
    event._sigev_un._tid = target;
    int made = -1;
    const int created = create(CLOCK_MONOTONIC, &event, &made);
    const int armed = set(made, 0, after(kMillisecond));
    id = made;
    thread.join();
    CHECK(created == 0 && armed == 0);
    CHECK(got == 1);
    // Not to the others.
    sigset_t pending;
    CHECK(::sigpending(&pending) == 0 && !::sigismember(&pending, SIGUSR2));
    CHECK(remove(made) == 0);
    event._sigev_un._tid = 1;  // of another process
    CHECK_ERROR(create(CLOCK_MONOTONIC, &event, &made), EINVAL);
}

void timer_without_signal() {
    const sigevent event = event_of(SIGEV_NONE, 0);
    int id = -1;
    CHECK(create(CLOCK_MONOTONIC, &event, &id) == 0);
    CHECK(set(id, 0, {{0, 0}, {1000, 0}}) == 0);
    CHECK(get(id).it_value.tv_sec >= 900);
    CHECK(set(id, 0, after(kMillisecond)) == 0);
    while (get(id).it_value.tv_nsec)
        std::this_thread::yield();
    CHECK(remove(id) == 0);
}

void timer_absolute() {
    const Blocked blocked{SIGUSR1};
    const sigevent event = event_of(SIGEV_SIGNAL, SIGUSR1);
    for (const clockid_t clock : {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME}) {
        int id = -1;
        CHECK(create(clock, &event, &id) == 0);
        CHECK(set(id, TIMER_ABSTIME, {{0, 0}, {0, 1}}) == 0);  // long past
        CHECK(blocked.take().si_timerid == id);
        timespec now{};
        CHECK(::clock_gettime(clock, &now) == 0);
        const long wanted = now.tv_nsec + 3 * kMillisecond;
        const timespec at{now.tv_sec + wanted / 1'000'000'000, wanted % 1'000'000'000};
        CHECK(set(id, TIMER_ABSTIME, {{0, 0}, at}) == 0);
        CHECK(blocked.take().si_timerid == id);
        CHECK(::clock_gettime(clock, &now) == 0);
        CHECK(now.tv_sec > at.tv_sec || (now.tv_sec == at.tv_sec && now.tv_nsec >= at.tv_nsec));
        CHECK(remove(id) == 0);
    }
}

void timer_bad_input() {
    int id = -1;
    CHECK_ERROR(create(99, nullptr, &id), EINVAL);
    for (const sigevent& event : {event_of(SIGEV_SIGNAL, 0), event_of(SIGEV_SIGNAL, 65),
                                  event_of(SIGEV_SIGNAL, -1), event_of(77, SIGUSR1)})
        CHECK_ERROR(create(CLOCK_MONOTONIC, &event, &id), EINVAL);
    CHECK_ERROR(create(CLOCK_MONOTONIC, nullptr, nullptr), EFAULT);
    CHECK_ERROR(::syscall(SYS_timer_create, CLOCK_MONOTONIC, 8, &id), EFAULT);
    const sigevent none = event_of(SIGEV_NONE, 0);
    CHECK(create(CLOCK_MONOTONIC, &none, &id) == 0);
    CHECK_ERROR(set(id, 0, {{0, 0}, {0, 1'000'000'000}}), EINVAL);
    CHECK_ERROR(set(id, 0, {{0, -1}, {0, 1}}), EINVAL);
    CHECK_ERROR(set(id, 0, {{0, 0}, {-1, 0}}), EINVAL);
    CHECK_ERROR(::syscall(SYS_timer_settime, id, 0, nullptr, nullptr), EINVAL);
    CHECK_ERROR(::syscall(SYS_timer_gettime, id, nullptr), EFAULT);
    for (const int wrong : {-1, id + 1000, 1 << 30}) {
        itimerspec setting{};
        CHECK_ERROR(set(wrong, 0, setting), EINVAL);
        CHECK_ERROR(::syscall(SYS_timer_gettime, wrong, &setting), EINVAL);
        CHECK_ERROR(overruns(wrong), EINVAL);
        CHECK_ERROR(remove(wrong), EINVAL);
    }
    CHECK(remove(id) == 0);
    // A child has none of them.
    CHECK(create(CLOCK_MONOTONIC, &none, &id) == 0);
    CHECK(in_child([&] { CHECK_ERROR(remove(id), EINVAL); }) == 0);
    CHECK(remove(id) == 0);
}

}  // namespace

const Case timer_cases[] = {
    {"timer_signals", timer_signals},         {"timer_overruns", timer_overruns},
    {"timer_of_a_thread", timer_of_a_thread}, {"timer_without_signal", timer_without_signal},
    {"timer_absolute", timer_absolute},       {"timer_bad_input", timer_bad_input},
};
const unsigned timer_case_count = std::size(timer_cases);

}  // namespace skep::files_test
