// kqueue with both layouts of struct kevent (sys/event.h), poll, select, clocks, eventfd and
// timerfd.
#include "system.hpp"

namespace bsd {
namespace {

struct Event11 {
    std::uint64_t ident;
    std::int16_t filter;
    std::uint16_t flags;
    std::uint32_t fflags;
    std::int64_t data;
    void* udata;
};
static_assert(sizeof(Event11) == 32);
struct Event {
    Event11 old;
    std::uint64_t ext[4];
};
static_assert(sizeof(Event) == 64);
enum : int {
    kRead = -1,
    kTimer = -7,
    kUser = -11,
    kAdd = 1,
    kOneshot = 0x10,
    kClear = 0x20,
    kEof = 0x8000
};

bool old_and_new_kevents() {
    const auto pipe = call(42);  // pipe(2) as FreeBSD 10 has it: the second descriptor is in RDX
    EXPECT(!pipe.failed);
    const long reader = pipe.signed_value(), writer = static_cast<long>(pipe.second);
    const long queue = sys(362);
    EXPECT(queue >= 0 && writer > reader);
    const Event11 old{static_cast<std::uint64_t>(reader), kRead, kAdd, 0, 0, &start};
    const Time now{0, 0};
    Event11 old_seen{};
    EXPECT_CALL(sys(363, queue, &old, 1, &old_seen, 1, &now), 0);
    EXPECT_CALL(sys(4, writer, "abc", 3), 3);
    EXPECT_CALL(sys(363, queue, nullptr, 0, &old_seen, 1, nullptr), 1);
    EXPECT(old_seen.ident == old.ident && old_seen.filter == kRead && old_seen.data == 3 &&
           old_seen.udata == old.udata);
    Event seen{};
    EXPECT_CALL(sys(560, queue, nullptr, 0, &seen, 1, nullptr), 1);
    EXPECT(seen.old.data == 3);
    EXPECT_CALL(sys(6, writer), 0);
    EXPECT_CALL(sys(560, queue, nullptr, 0, &seen, 1, nullptr), 1);
    EXPECT(seen.old.flags & kEof);
    sys(6, reader);
    sys(6, queue);
    return true;
}

bool timers_and_users() {
    const long queue = sys(362);
    Event change{{7, kTimer, kAdd | kOneshot, 0, 1, nullptr}, {}};
    Event seen{};
    EXPECT_CALL(sys(560, queue, &change, 1, &seen, 1, nullptr), 1);
    EXPECT(seen.old.filter == kTimer && seen.old.ident == 7 && seen.old.data >= 1);
    change.old = {8, kUser, kAdd | kClear, 0, 0, nullptr};
    EXPECT_CALL(sys(560, queue, &change, 1, nullptr, 0, nullptr), 0);
    change.old = {8, kUser, 0, 0x01000000, 0, nullptr};  // NOTE_TRIGGER
    EXPECT_CALL(sys(560, queue, &change, 1, &seen, 1, nullptr), 1);
    EXPECT(seen.old.filter == kUser);
    sys(6, queue);
    return true;
}

bool polls() {
    std::int32_t pipe[2];
    EXPECT_CALL(sys(542, pipe, 0x100000), 0);  // pipe2(O_CLOEXEC)
    struct {
        std::int32_t descriptor;
        std::int16_t events, revents;
    } poll{pipe[0], 1, 0};
    EXPECT_CALL(sys(209, &poll, 1, 0), 0);
    EXPECT_CALL(sys(4, pipe[1], "x", 1), 1);
    EXPECT_CALL(sys(209, &poll, 1, -1), 1);
    std::uint64_t set[16] = {};
    set[0] = 1ul << pipe[0];
    EXPECT_CALL(sys(93, pipe[0] + 1, set, 0, 0, 0), 1);
    EXPECT(set[0] == 1ul << pipe[0]);
    sys(6, pipe[0]);
    sys(6, pipe[1]);
    return true;
}

bool clocks() {
    Time first{}, second{};
    EXPECT_CALL(sys(232, 4, &first), 0);  // CLOCK_MONOTONIC
    const Time pause{0, 2'000'000};
    EXPECT_CALL(sys(240, &pause, 0), 0);
    EXPECT_CALL(sys(232, 4, &second), 0);
    EXPECT((second.seconds - first.seconds) * 1'000'000'000 + second.nanoseconds -
               first.nanoseconds >=
           2'000'000);
    EXPECT_CALL(sys(232, 999, &first), -kEinval);
    std::int64_t day[2], zone = 1;
    EXPECT_CALL(sys(116, day, &zone), 0);
    EXPECT(day[0] > 1'000'000'000);
    return true;
}

bool event_descriptors() {
    const struct {
        std::uint32_t initial;
        std::int32_t flags;
    } request{3, 4};
    const long event = sys(577, 1, &request, sizeof request);  // __specialfd(SPECIALFD_EVENTFD)
    EXPECT(event >= 0);
    std::uint64_t count = 0;
    EXPECT_CALL(sys(3, event, &count, sizeof count), 8);
    EXPECT_CALL(count, 3);
    EXPECT_CALL(sys(3, event, &count, sizeof count), -kEagain);
    const long timer = sys(585, 4, 0);
    EXPECT(timer >= 0);
    const Time once[2] = {{0, 0}, {0, 1'000'000}};
    EXPECT_CALL(sys(587, timer, 0, once, 0), 0);
    EXPECT_CALL(sys(3, timer, &count, sizeof count), 8);
    EXPECT_CALL(count, 1);
    sys(6, event);
    sys(6, timer);
    return true;
}

// librt's timer_create(3), as ktimer_*: a signal that says which timer, and how often it came late.
bool timers() {
    struct {
        std::int32_t how, signal;
        std::uint64_t value;
        std::int32_t thread, padding;
        std::uint64_t spare[7];
    } event{1, 30, 77, 0, 0, {}};  // SIGEV_SIGNAL, SIGUSR1
    static_assert(sizeof event == 80);
    const std::uint32_t usr1[4] = {1u << 29};
    std::uint32_t old[4];
    EXPECT_CALL(sys(340, 1, usr1, old), 0);  // SIG_BLOCK
    std::int32_t id = -1;
    EXPECT_CALL(sys(235, 4, &event, &id), 0);  // CLOCK_MONOTONIC
    EXPECT(id >= 0);
    EXPECT_CALL(sys(235, 14, &event, &id), -kEinval);  // CLOCK_THREAD_CPUTIME_ID
    const Time once[2] = {{0, 0}, {0, 2'000'000}};
    Time left[2] = {};
    EXPECT_CALL(sys(237, id, 0, once, left), 0);
    EXPECT(left[1].seconds == 0 && left[1].nanoseconds == 0);
    struct {
        std::int32_t signal, error, code, process, user, status;
        std::uint64_t address, value;
        std::int32_t timer, overrun;
        std::uint32_t rest[8];
    } info{};
    static_assert(sizeof info == 80);
    EXPECT_CALL(sys(346, usr1, &info), 30);  // sigwaitinfo
    EXPECT(info.code == 0x10003 && info.value == 77 && info.timer == id);
    EXPECT_CALL(sys(238, id, left), 0);
    EXPECT(left[1].nanoseconds == 0);
    const Time often[2] = {{0, 1'000'000}, {0, 1'000'000}};
    EXPECT_CALL(sys(237, id, 0, often, 0), 0);
    const Time pause{0, 5'000'000};
    EXPECT_CALL(sys(239, id), 0);  // ktimer_getoverrun: of the one that was taken
    // Each one that nobody takes counts.
    do {
        sys(240, &pause, 0);
        EXPECT_CALL(sys(346, usr1, &info), 30);
        EXPECT_CALL(sys(239, id), info.overrun);
    } while (info.overrun < 3);
    EXPECT_CALL(sys(236, id), 0);
    EXPECT_CALL(sys(236, id), -kEinval);
    while (sys(345, usr1, 0, once) == 30)  // sigtimedwait: the one that waits, if one came
        continue;
    std::int64_t me = 0;
    EXPECT_CALL(sys(432, &me), 0);
    event.how = 4;  // SIGEV_THREAD_ID: what SIGEV_THREAD is made of
    event.thread = static_cast<std::int32_t>(me);
    EXPECT_CALL(sys(235, 0, &event, &id), 0);
    Time at[2] = {};
    EXPECT_CALL(sys(232, 0, &at[1]), 0);
    EXPECT_CALL(sys(237, id, 1, at, 0), 0);  // TIMER_ABSTIME: now
    EXPECT_CALL(sys(346, usr1, &info), 30);
    EXPECT(info.timer == id);
    EXPECT_CALL(sys(236, id), 0);
    event.thread = 99'990;
    EXPECT_CALL(sys(235, 0, &event, &id), -kEinval);
    EXPECT_CALL(sys(340, 3, old, 0), 0);
    return true;
}

// setitimer(ITIMER_PROF): SIGPROF after 5 ms of work.
bool profiling_alarm() {
    const std::uint32_t prof[4] = {1u << 26};
    std::uint32_t old[4];
    EXPECT_CALL(sys(340, 1, prof, old), 0);  // SIG_BLOCK
    const Time once[2] = {{0, 0}, {0, 5000}};
    EXPECT_CALL(sys(83, 2, once, 0), 0);
    Time left[2] = {};
    EXPECT_CALL(sys(86, 2, left), 0);
    EXPECT(left[1].seconds == 0 && left[1].nanoseconds <= 5000);
    std::uint32_t waiting[4] = {};
    while (!(waiting[0] & prof[0]))
        EXPECT_CALL(sys(343, waiting), 0);
    EXPECT_CALL(sys(346, prof, 0), 27);
    EXPECT_CALL(sys(83, 3, once, 0), -kEinval);
    EXPECT_CALL(sys(340, 3, old, 0), 0);
    return true;
}

bool randomness() {
    std::uint64_t bytes[2] = {};
    EXPECT_CALL(sys(563, bytes, sizeof bytes, 0), 16);
    EXPECT(bytes[0] && bytes[0] != bytes[1]);
    return true;
}

}  // namespace

void event_cases() {
    const Case cases[] = {{"kevent", old_and_new_kevents},
                          {"kevent_timer_user", timers_and_users},
                          {"poll", polls},
                          {"clocks", clocks},
                          {"eventfd_timerfd", event_descriptors},
                          {"ktimer", timers},
                          {"itimer_prof", profiling_alarm},
                          {"getrandom", randomness}};
    run_cases(cases, sizeof cases / sizeof cases[0]);
}

}  // namespace bsd
