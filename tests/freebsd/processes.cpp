// fork, vfork, rfork, pdfork, wait4, wait6, procctl, ptrace, limits: sys/wait.h, sys/procctl.h,
// sys/procdesc.h.
#include "system.hpp"

#include <initializer_list>

namespace bsd {
namespace {

struct ResourceUsage {
    std::int64_t words[18];
};

// The child's branch ends here.
long child_that_exits(long number, long argument, int status) {
    const auto made = call(number, argument);
    if (!made.failed && made.value == 0)
        exit_with(status);
    return made.signed_value();
}

bool fork_and_wait() {
    const long child = child_that_exits(2, 0, 7);
    EXPECT(child > 0);
    std::int32_t status = 0;
    ResourceUsage usage{};
    EXPECT_CALL(sys(7, child, &status, 0, &usage), child);
    EXPECT_CALL(status, 7 << 8);
    EXPECT_CALL(sys(7, child, &status, 0, 0), -kEchild);
    return true;
}

bool interpreter_by_name() {
    const auto child = call(2);
    if (!child.failed && child.value == 0) {
        const char* const arguments[] = {"by name", nullptr};
        sys(59, "/libexec/ld-elf.so.1", arguments, arguments + 1);
        exit_with(13);
    }
    std::int32_t status = 0;
    EXPECT_CALL(sys(7, child.value, &status, 0, 0), child.signed_value());
    EXPECT_CALL(status, 11 << 8);
    return true;
}

bool rfork_and_wait() {
    const long child = child_that_exits(251, (1 << 4) | (1 << 2), 9);  // RFPROC | RFFDG
    EXPECT(child > 0);
    std::int32_t status = 0;
    struct {
        ResourceUsage self, children;
    } usage{};
    char information[80] = {};
    EXPECT_CALL(sys(532, 0, child, &status, 16, &usage, information),
                child);  // wait6(P_PID, WEXITED)
    EXPECT_CALL(status, 9 << 8);
    EXPECT_CALL(*reinterpret_cast<std::int32_t*>(information), 20);  // SIGCHLD
    return true;
}

// posix_spawn(3) from FreeBSD 12.2 on: rfork_thread(3) gives the child a stack of its own in the
// parent's memory, and looks at RDX alone to see who it is.
char spawn_stack[4096] __attribute__((aligned(16)));
volatile int spawned;
extern "C" [[gnu::used]] void skep_spawned() {
    spawned = 1;
    exit_with(21);
}
long on_a_stack_of_its_own(std::uint64_t number, std::uint64_t flags) {
    std::uint64_t result = number, second = word(&spawn_stack);
    bool failed;
    asm volatile(
        "syscall\n"
        "jc 2f\n"
        "cmp $0, %%edx\n"
        "jz 2f\n"
        "mov %%rsi, %%rsp\n"
        "call skep_spawned\n"
        "2:"
        : "+a"(result), "=@ccc"(failed), "+d"(second)
        : "D"(flags), "S"(spawn_stack + sizeof spawn_stack)
        : "rcx", "r11", "r8", "r9", "r10", "memory");
    return static_cast<long>(result);
}

bool spawning() {
    const struct {
        std::uint64_t number, flags;
        bool shared;
    } kWays[] = {{251, std::uint64_t{1} << 31, true},  // RFSPAWN
                 {251, 0x34, true},                    // RFPROC | RFMEM | RFFDG
                 {66, 0, true},                        // vfork
                 {2, 0, false}};                       // fork
    for (const auto& way : kWays) {
        spawned = 0;
        const long child = on_a_stack_of_its_own(way.number, way.flags);
        EXPECT(child > 0);
        std::int32_t status = 0;
        EXPECT_CALL(sys(7, child, &status, 0, 0), child);
        EXPECT_CALL(status, 21 << 8);
        EXPECT_CALL(spawned, way.shared);
    }
    return true;
}

struct ReaperStatus {
    std::uint32_t flags, children, descendants;
    std::int32_t reaper, child;
    std::uint32_t padding[15];
};

// timeout(1): what it started, and what that left behind, is its to see and to end.
bool reaping() {
    EXPECT_CALL(sys(544, 0, sys(20), 3, 0), -kEinval);  // PROC_REAP_RELEASE: it is none
    EXPECT_CALL(sys(544, 0, sys(20), 2, 0), 0);         // PROC_REAP_ACQUIRE
    EXPECT_CALL(sys(544, 0, sys(20), 2, 0), -kEbusy);
    std::int32_t ends[2];
    EXPECT_CALL(sys(542, ends, 0), 0);
    const auto child = call(2);
    if (!child.failed && child.value == 0) {
        const auto grandchild = call(2);
        if (!grandchild.failed && grandchild.value == 0) {
            sys(4, ends[1], "x", 1);
            for (;;)
                sys(331);
        }
        exit_with(0);
    }
    char byte;
    EXPECT_CALL(sys(3, ends[0], &byte, 1), 1);
    EXPECT_CALL(sys(7, child.value, 0, 0, 0), child.signed_value());
    ReaperStatus status{};
    EXPECT_CALL(sys(544, 0, sys(20), 4, &status), 0);  // PROC_REAP_STATUS
    EXPECT(status.flags == 1 && status.children == 1 && status.descendants == 1);
    EXPECT(status.reaper == sys(20) && status.child > 0);
    struct {
        std::int32_t process, subtree;
        std::uint32_t flags, padding[15];
    } found[4] = {};
    struct {
        std::uint32_t capacity, padding[15];
        void* to;
    } pids{4, {}, found};
    EXPECT_CALL(sys(544, 0, sys(20), 5, &pids), 0);  // PROC_REAP_GETPIDS
    EXPECT(found[0].process == status.child && found[0].flags == 3 && found[1].flags == 0);
    struct {
        std::int32_t signal;
        std::uint32_t flags;
        std::int32_t subtree;
        std::uint32_t killed;
        std::int32_t failed;
        std::uint32_t padding[15];
    } kill{15, 0, 0, 0, 0, {}};
    EXPECT_CALL(sys(544, 0, sys(20), 6, &kill), 0);  // PROC_REAP_KILL
    EXPECT(kill.killed == 1 && kill.failed == -1);
    std::int32_t how = 0;
    EXPECT_CALL(sys(7, -1, &how, 0, 0), status.child);
    EXPECT_CALL(how, 15);
    EXPECT_CALL(sys(544, 0, sys(20), 6, &kill), -kEsrch);
    EXPECT_CALL(sys(544, 0, sys(20), 3, 0), 0);
    sys(6, ends[0]);
    sys(6, ends[1]);
    return true;
}

// Sessions have a login name, processes a class: setusercontext(3) sets both.
bool login_names() {
    char was[33] = {}, is[33] = {};
    EXPECT_CALL(sys(49, was, sizeof was), 0);
    EXPECT_CALL(sys(50, "operator"), 0);
    EXPECT_CALL(sys(49, is, sizeof is), 0);
    EXPECT(equal(is, "operator"));
    EXPECT_CALL(sys(49, is, 3), -34);  // ERANGE
    EXPECT_CALL(sys(50, was), 0);
    EXPECT_CALL(sys(50, "a name that is longer than thirty-two bytes"), -kEinval);
    EXPECT_CALL(sys(524, "staff"), 0);
    EXPECT_CALL(sys(523, is, sizeof is), 0);
    EXPECT(equal(is, "staff"));
    EXPECT_CALL(sys(524, "default"), 0);
    return true;
}

// libcasper's way: a child that only its descriptor knows.
bool a_process_descriptor() {
    std::int32_t descriptor = -1;
    const auto made = call(518, &descriptor, 0);
    EXPECT(!made.failed);
    if (made.value == 0)
        for (;;)
            sys(240, &start, 0);  // sleeps, or spins: it is killed
    std::int32_t id = 0;
    EXPECT_CALL(sys(520, descriptor, &id), 0);
    EXPECT_CALL(id, made.signed_value());
    EXPECT_CALL(sys(7, -1, 0, 1, 0), -kEchild);  // not one of "any" children
    struct {
        std::int32_t descriptor;
        std::int16_t events, revents;
    } poll{descriptor, 1, 0};
    EXPECT_CALL(sys(209, &poll, 1, 0), 0);
    EXPECT_CALL(sys(519, descriptor, 9), 0);
    EXPECT_CALL(sys(209, &poll, 1, -1), 1);
    EXPECT(poll.revents & 0x10);  // POLLHUP
    std::int32_t status = 0;
    EXPECT_CALL(sys(7, id, &status, 0, 0), id);
    EXPECT_CALL(status & 0x7f, 9);
    EXPECT_CALL(sys(519, descriptor, 9), -kEsrch);
    EXPECT_CALL(sys(6, descriptor), 0);
    return true;
}

bool a_descriptor_closed() {
    std::int32_t descriptor = -1;
    const auto made = call(518, &descriptor, 0);
    EXPECT(!made.failed);
    if (made.value == 0)
        for (;;)
            sys(331);
    EXPECT_CALL(sys(6, descriptor), 0);
    // Killed, and waited for by init.
    for (int i = 0; i < 2000 && sys(37, made.signed_value(), 0) != -kEsrch; i++) {
        const Time pause{0, 5'000'000};
        sys(240, &pause, 0);
    }
    EXPECT_CALL(sys(37, made.signed_value(), 0), -kEsrch);
    return true;
}

bool process_control() {
    const int usr1 = 30;
    int signal = 0;
    EXPECT_CALL(sys(544, 0, sys(20), 11, &usr1), 0);  // PROC_PDEATHSIG_CTL
    EXPECT_CALL(sys(544, 0, 0, 12, &signal), 0);
    EXPECT_CALL(signal, usr1);
    const int none = 0;
    EXPECT_CALL(sys(544, 0, 0, 11, &none), 0);
    int wrong = 1000;
    EXPECT_CALL(sys(544, 0, 0, 11, &wrong), -kEinval);
    return true;
}

// A child that asks to be traced stops at a signal; its parent lets it go on without.
bool tracing() {
    const auto made = call(2);
    EXPECT(!made.failed);
    if (made.value == 0) {
        sys(26, 0, 0, 0, 0);  // PT_TRACE_ME
        sys(37, sys(20), 15);
        exit_with(33);
    }
    const long child = made.signed_value();
    std::int32_t status = 0;
    EXPECT_CALL(sys(7, child, &status, 0, 0), child);
    EXPECT_CALL(status, 15 << 8 | 0x7f);
    EXPECT_CALL(sys(26, 7, child, 1, 0), 0);  // PT_CONTINUE
    EXPECT_CALL(sys(7, child, &status, 0, 0), child);
    EXPECT_CALL(status, 33 << 8);
    EXPECT_CALL(sys(26, 7, child, 1, 0), -kEsrch);
    return true;
}

bool identity_and_limits() {
    EXPECT_CALL(sys(253), 0);  // issetugid
    EXPECT_CALL(sys(24), 0);
    std::uint64_t limit[2] = {};
    EXPECT_CALL(sys(194, 8, limit), 0);  // RLIMIT_NOFILE
    EXPECT(limit[0] >= 64 && limit[0] <= limit[1]);
    EXPECT_CALL(sys(194, 99, limit), -kEinval);
    std::uint32_t groups[64];
    EXPECT(sys(79, 64, groups) >= 0);
    char login[33];
    EXPECT_CALL(sys(49, login, sizeof login), 0);
    return true;
}

// setpriority(2), and what ps(1) and uptime(1) show of it.
bool nice_values() {
    const auto child = call(2);
    if (!child.failed && child.value == 0) {
        char process[1088] = {};
        std::size_t size = sizeof process;
        const long me = sys(20);
        const std::int32_t name[] = {1, 14, 1, static_cast<std::int32_t>(me)};  // KERN_PROC_PID
        const bool fine =
            sys(100, 0, 0) == 0 && sys(96, 0, 0, 5) == 0 && sys(100, 0, me) == 5 &&
            sys(202, name, 4, process, &size, 0, 0) == 0 && process[389] == 5 &&  // ki_nice
            sys(96, 0, 0, 1000) == 0 && sys(100, 0, 0) == 20 && sys(96, 0, 0, -1000) == 0 &&
            call(100, 0, 0).value == static_cast<std::uint64_t>(-20) &&
            sys(100, 3, 0) == -kEinval && sys(96, -1, 0, 0) == -kEinval &&
            sys(100, 0, 99'990) == -kEsrch && sys(96, 0, 99'990, 0) == -kEsrch &&
            sys(126, 1000, 1000) == 0 && sys(96, 0, 0, -10) == 0;  // setreuid
        exit_with(fine && sys(96, 0, 0, -11) == -13 ? 3 : 4);      // EACCES
    }
    std::int32_t status = 0;
    EXPECT_CALL(sys(7, child.value, &status, 0, 0), child.signed_value());
    EXPECT_CALL(status, 3 << 8);
    struct {
        std::uint32_t averages[3], padding;
        std::int64_t scale;
    } load{};
    std::size_t size = sizeof load;
    const std::int32_t loads[] = {2, 2};  // CTL_VM, VM_LOADAVG
    EXPECT_CALL(sys(202, loads, 2, &load, &size, 0, 0), 0);
    EXPECT_CALL(load.scale, 2048);
    EXPECT(size == sizeof load && load.averages[0] < 64 * 2048);
    return true;
}

}  // namespace

void process_cases() {
    const Case cases[] = {
        {"fork", fork_and_wait},
        {"interpreter_by_name", interpreter_by_name},
        {"rfork_wait6", rfork_and_wait},
        {"pdfork", a_process_descriptor},
        {"pdfork_close", a_descriptor_closed},
        {"procctl", process_control},
        {"rfork_thread", spawning},
        {"procctl_reaper", reaping},
        {"login_names", login_names},
        {"ptrace", tracing},
        {"nice_values", nice_values},
        {"identity", identity_and_limits},
    };
    run_cases(cases, sizeof cases / sizeof cases[0]);
}

}  // namespace bsd
