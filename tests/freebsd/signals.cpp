// Signals: sys/signal.h, machine/ucontext.h. The kernel calls handlers through its own trampoline.
#include "system.hpp"

namespace bsd {
namespace {

struct Set {
    std::uint32_t words[4];
};
struct Action {
    void (*handler)(int, void*, void*);
    std::int32_t flags;
    Set mask;
};
static_assert(sizeof(Action) == 32);
struct Info {
    std::int32_t signal, error, code, process;
    std::uint32_t user;
    std::int32_t status;
    void* address;
    std::uint64_t value;
    std::int32_t reason[10];
};
static_assert(sizeof(Info) == 80);
struct AlternateStack {
    void* base;
    std::uint64_t size;
    std::int32_t flags;
};

enum : int {
    kOnStack = 1,
    kRestart = 2,
    kSigInfo = 0x40
};
constexpr int kUsr1 = 30, kSegv = 11;

volatile int handled, code, sender;
void* volatile fault_address;
volatile std::uint64_t handler_stack;

void on_signal(int signal, void* information, void* context) {
    const auto* info = static_cast<Info*>(information);
    handled = signal;
    code = info->code;
    sender = info->process;
    fault_address = info->address;
    handler_stack = reinterpret_cast<std::uint64_t>(&info);
    // ucontext_t: the mask, then mcontext_t, whose RIP is its 21st word. A fault's instruction is
    // two bytes long.
    auto* rip = reinterpret_cast<std::uint64_t*>(static_cast<char*>(context) + 16 + 160);
    if (signal == kSegv)
        *rip += 2;
}

bool install(int signal, int flags) {
    const Action action{on_signal, flags, {}};
    return sys(416, signal, &action, 0) == 0;
}

bool a_signal_to_myself() {
    EXPECT(install(kUsr1, kSigInfo | kRestart));
    handled = 0;
    EXPECT_CALL(sys(37, sys(20), kUsr1), 0);
    EXPECT_CALL(handled, kUsr1);
    EXPECT_CALL(code, 0x10001);  // SI_USER
    EXPECT_CALL(sender, sys(20));
    return true;
}

bool a_fault() {
    EXPECT(install(kSegv, kSigInfo));
    handled = 0;
    const auto* nowhere = reinterpret_cast<std::uint64_t*>(0x1000);
    asm volatile("movb (%0), %%al" : : "a"(nowhere) : "memory");  // two bytes
    EXPECT_CALL(handled, kSegv);
    EXPECT(fault_address == nowhere);
    EXPECT_CALL(code, 1);  // SEGV_MAPERR
    return true;
}

bool another_stack() {
    static char area[32 * 1024];
    const AlternateStack wanted{area, sizeof area, 0};
    AlternateStack old{};
    EXPECT_CALL(sys(53, &wanted, &old), 0);
    EXPECT(old.flags & 4);  // SS_DISABLE
    EXPECT(install(kUsr1, kSigInfo | kOnStack));
    EXPECT_CALL(sys(37, sys(20), kUsr1), 0);
    EXPECT(handler_stack > reinterpret_cast<std::uint64_t>(area) &&
           handler_stack < reinterpret_cast<std::uint64_t>(area + sizeof area));
    const AlternateStack none{nullptr, 0, 4}, little{area, 100, 0};
    EXPECT_CALL(sys(53, &little, 0), -kEnomem);
    EXPECT_CALL(sys(53, &none, 0), 0);
    return true;
}

bool blocked_and_taken() {
    Set set{}, old{}, pending{};
    set.words[0] = 1u << (kUsr1 - 1);
    EXPECT_CALL(sys(340, 1, &set, &old), 0);  // SIG_BLOCK
    handled = 0;
    EXPECT_CALL(sys(37, sys(20), kUsr1), 0);
    EXPECT_CALL(handled, 0);
    EXPECT_CALL(sys(343, &pending), 0);
    EXPECT(pending.words[0] & set.words[0]);
    Info info{};
    const Time soon{5, 0}, now{0, 0};
    EXPECT_CALL(sys(345, &set, &info, &soon), kUsr1);  // sigtimedwait
    EXPECT(info.signal == kUsr1 && info.process == sys(20));
    EXPECT_CALL(sys(345, &set, &info, &now), -kEagain);
    EXPECT_CALL(sys(456, sys(20), kUsr1, 77), 0);  // sigqueue
    EXPECT_CALL(sys(346, &set, &info), kUsr1);
    EXPECT(info.code == 0x10002 && info.value == 77);
    EXPECT_CALL(sys(340, 3, &old, 0), 0);
    return true;
}

bool registers_survive() {
    EXPECT(install(kUsr1, kSigInfo));
    const long me = sys(20);
    std::uint64_t before = 0x1234'5678'9abc'def0, after;
    long result = 37;
    asm volatile("mov %2, %%r12; syscall; mov %%r12, %1"
                 : "+a"(result), "=r"(after)
                 : "r"(before), "D"(me), "S"(kUsr1)
                 : "r12", "rcx", "r11", "rdx", "r8", "r9", "r10", "memory");
    EXPECT_CALL(handled, kUsr1);
    EXPECT(after == before && result == 0);
    return true;
}

bool contexts() {
    alignas(16) static char context[880];
    static volatile int rounds;
    rounds = 0;
    // getcontext, here: a function called for it would have returned when its context is taken up
    // again.
    long taken = 421;
    asm volatile("syscall"
                 : "+a"(taken)
                 : "D"(context)
                 : "rcx", "r11", "rdx", "rsi", "rbx", "r8", "r9", "r10", "r12", "r13", "r14", "r15",
                   "memory", "cc");
    EXPECT_CALL(taken, 0);
    const int round = rounds;
    rounds = round + 1;
    if (round == 0)
        sys(422, context);  // setcontext: back to where it was taken
    EXPECT_CALL(rounds, 2);
    return true;
}

}  // namespace

void signal_cases() {
    const Case cases[] = {
        {"signal", a_signal_to_myself},   {"fault", a_fault},
        {"sigaltstack", another_stack},   {"sigwait", blocked_and_taken},
        {"sigreturn", registers_survive}, {"getcontext", contexts},
    };
    run_cases(cases, sizeof cases / sizeof cases[0]);
}

}  // namespace bsd
