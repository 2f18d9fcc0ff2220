#include "system.hpp"

// What the compiler may call.
extern "C" {
void* memset(void* to, int value, std::size_t size) {
    auto* p = static_cast<unsigned char*>(to);
    for (std::size_t i = 0; i < size; i++)
        p[i] = static_cast<unsigned char>(value);
    return to;
}
void* memcpy(void* to, const void* from, std::size_t size) {
    auto* p = static_cast<unsigned char*>(to);
    for (std::size_t i = 0; i < size; i++)
        p[i] = static_cast<const unsigned char*>(from)[i];
    return to;
}
}

namespace bsd {

Stack start;

// Carry set: RAX is errno. The kernel keeps every register but RAX, RDX, RCX and R11.
Outcome system_call(long number, std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d,
                    std::uint64_t e, std::uint64_t f) {
    Outcome out{static_cast<std::uint64_t>(number), false, c};
    register std::uint64_t r10 asm("r10") = d;
    register std::uint64_t r8 asm("r8") = e;
    register std::uint64_t r9 asm("r9") = f;
    asm volatile("syscall"
                 : "+a"(out.value), "=@ccc"(out.failed), "+d"(out.second), "+r"(r10), "+r"(r8),
                   "+r"(r9)
                 : "D"(a), "S"(b)
                 : "rcx", "r11", "memory");
    return out;
}

std::size_t length(const char* text) {
    std::size_t n = 0;
    while (text[n])
        n++;
    return n;
}

bool equal(const char* a, const char* b) {
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

bool starts_with(const char* text, const char* prefix) {
    while (*prefix)
        if (*text++ != *prefix++)
            return false;
    return true;
}

void print(const char* text) {
    sys(4, 1, text, length(text));
}

void print_number(long value) {
    char digits[24];
    char* at = digits + sizeof digits;
    *--at = 0;
    const bool negative = value < 0;
    std::uint64_t rest =
        negative ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    do
        *--at = static_cast<char>('0' + rest % 10);
    while (rest /= 10);
    if (negative)
        *--at = '-';
    print(at);
}

void exit_with(int status) {
    for (;;)
        sys(1, status);
}

namespace {
int failed_cases;
}

int failures() {
    return failed_cases;
}

void run_cases(const Case* cases, std::size_t count) {
    for (std::size_t i = 0; i < count; i++) {
        const bool fine = cases[i].run();
        print(fine ? "ok " : "not ok ");
        print(cases[i].name);
        print("\n");
        failed_cases += !fine;
    }
}

bool complain(const char* condition, long value) {
    print("# ");
    print(condition);
    print(": ");
    print_number(value);
    print("\n");
    return false;
}

}  // namespace bsd
