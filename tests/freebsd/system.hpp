// Calling a FreeBSD/amd64 kernel without a library, and saying what was found. Layouts and numbers
// are those of FreeBSD's manual pages and headers, written down anew: sharing the kernel's own
// would hide what both have wrong.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace bsd {

struct Outcome {
    std::uint64_t value;
    bool failed;
    std::uint64_t second;  // RDX
    // -errno if it failed.
    long signed_value() const {
        return failed ? -static_cast<long>(value) : static_cast<long>(value);
    }
};

Outcome system_call(long number, std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d,
                    std::uint64_t e, std::uint64_t f);

template <typename T>
std::uint64_t word([[maybe_unused]] T value) {
    if constexpr (std::is_null_pointer_v<T>)
        return 0;
    else if constexpr (std::is_pointer_v<T>)
        return reinterpret_cast<std::uint64_t>(value);
    else
        return static_cast<std::uint64_t>(static_cast<std::int64_t>(value));
}
template <typename... A>
Outcome call(long number, A... arguments) {
    const std::uint64_t a[6 + 1] = {word(arguments)...};
    return system_call(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
template <typename... A>
long sys(long number, A... arguments) {
    return call(number, arguments...).signed_value();
}

std::size_t length(const char* text);
bool equal(const char* a, const char* b);
bool starts_with(const char* text, const char* prefix);
void print(const char* text);
void print_number(long value);
[[noreturn]] void exit_with(int status);

// One line per case: "ok NAME" or "not ok NAME".
struct Case {
    const char* name;
    bool (*run)();
};
void run_cases(const Case* cases, std::size_t count);
int failures();

// Says which condition did not hold, and with what value beside it.
bool complain(const char* condition, long value);
#define EXPECT(condition)                          \
    do                                             \
        if (!(condition))                          \
            return ::bsd::complain(#condition, 0); \
    while (0)
#define EXPECT_CALL(expression, wanted)                                        \
    do                                                                         \
        if (const long got_ = (expression); got_ != static_cast<long>(wanted)) \
            return ::bsd::complain(#expression " == " #wanted, got_);          \
    while (0)

enum : int {
    kEperm = 1,
    kEnoent = 2,
    kEsrch = 3,
    kEintr = 4,
    kEbadf = 9,
    kEchild = 10,
    kEnomem = 12,
    kEfault = 14,
    kEbusy = 16,
    kEexist = 17,
    kEnotdir = 20,
    kEinval = 22,
    kEnotty = 25,
    kEtimedout = 60,
    kEnosys = 78,
    kEopnotsupp = 45,
    kEagain = 35
};

struct Time {
    std::int64_t seconds, nanoseconds;
};

struct Stack {  // as the kernel starts a program: argc, argv, envp, the auxiliary vector
    std::uint64_t* words;
    std::uint64_t argument_count() const { return words[0]; }
    const char* argument(std::uint64_t n) const {
        return reinterpret_cast<const char*>(words[1 + n]);
    }
    const std::uint64_t* environment() const { return words + 2 + words[0]; }
    const std::uint64_t* auxiliary() const {
        const std::uint64_t* at = environment();
        while (*at++) {
        }
        return at;
    }
    // Of the auxiliary vector; 0 if it is not there.
    std::uint64_t find(std::uint64_t type, bool* there = nullptr) const {
        for (const std::uint64_t* p = auxiliary(); *p; p += 2)
            if (*p == type) {
                if (there)
                    *there = true;
                return p[1];
            }
        if (there)
            *there = false;
        return 0;
    }
};
extern Stack start;

// The topics; each file runs its own.
void auxiliary_cases();
void file_cases();
void memory_cases();
void process_cases();
void signal_cases();
void sysctl_cases();
void terminal_cases();
void thread_cases();
void event_cases();
void casper_cases();
void sysv_cases();
// In a program that was started under W^X.
bool lives_with_wxorx();

}  // namespace bsd
