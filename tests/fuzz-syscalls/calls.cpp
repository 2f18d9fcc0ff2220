// skep-fuzz-calls PERSONALITY SEED CALLS: random system calls. PERSONALITY: l or f.
#include "progress.hpp"

using namespace skep::fuzz;

namespace {

using Word = std::uint64_t;

// A handler that does nothing, and rt_sigreturn for Linux (FreeBSD brings its own).
extern "C" void nudged();
extern "C" void nudged_return();
asm(R"(
nudged:
    ret
nudged_return:
    movl $15, %eax
    syscall
)");

Word call(Word number, const Word (&a)[6], bool& failed) {
    Word result;
    register Word r10 asm("r10") = a[3];
    register Word r8 asm("r8") = a[4];
    register Word r9 asm("r9") = a[5];
    bool carry;
    Word third = a[2];
    asm volatile("syscall"
                 : "=a"(result), "=@ccc"(carry), "+d"(third), "+r"(r10), "+r"(r8), "+r"(r9)
                 : "a"(number), "D"(a[0]), "S"(a[1])
                 : "rcx", "r11", "memory");
    failed = carry;
    return result;
}
Word call(Word number, Word a = 0, Word b = 0, Word c = 0, Word d = 0, Word e = 0, Word f = 0) {
    bool failed;
    return call(number, {a, b, c, d, e, f}, failed);
}

// The numbers that this program itself needs.
struct Numbers {
    Word exit, mmap, open, mprotect, fork, map_anonymous, no_such_call;
};
constexpr Numbers kLinux{231, 9, 2, 10, 57, 0x20, 38}, kFreeBsd{1, 477, 5, 74, 2, 0x1000, 78};

// xorshift64*
class Random {
  public:
    explicit Random(Word seed) : state_(seed * 0x9e37'79b9'7f4a'7c15 | 1) {}
    Word next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545'f491'4f6c'dd1d >> 7;
    }
    Word below(Word n) { return next() % n; }

  private:
    Word state_;
};

constexpr Word kArena = 0x6000'0000,
               kArenaSize = 0x10000;  // readable and writable; nothing behind it
alignas(16) const char* const kNames[] = {
    ".",
    "..",
    "/",
    "/tmp/fuzz",
    "a",
    "b",
    "c",
    "a/b",
    "/dev/null",
    "/dev/zero",
    "/dev/random",
    "/dev/full",
    "/dev/tty",
    "/proc/self",
    "/proc/self/maps",
    "/proc/self/fd",
    "/proc/1/status",
    "/dev/fd/3",
    "/dev/vmm",
    "",
    "a/../b/./c",
    "/etc/passwd",
    "/dev/pts",
    "/proc/self/exe",
    "fifo",
    "kern.ostype",
};

class Fuzzer {
  public:
    Fuzzer(bool freebsd, Word seed)
        : freebsd_(freebsd), own_(freebsd ? kFreeBsd : kLinux), random_(seed) {}

    bool prepare() {
        const Word file = call(own_.open, reinterpret_cast<Word>(kProgressFile), 2, 0);
        const Word at = call(own_.mmap, kProgressAt, 4096, 3, 0x11, file, 0);  // SHARED | FIXED
        // The one who watches ends waits by a signal.
        alignas(8) const Word linux_action[4] = {reinterpret_cast<Word>(&nudged), 0x0400'0000,
                                                 reinterpret_cast<Word>(&nudged_return), 0};
        alignas(8) const Word freebsd_action[4] = {reinterpret_cast<Word>(&nudged), 0, 0, 0};
        if (freebsd_)
            call(416, 30, reinterpret_cast<Word>(freebsd_action), 0);
        else
            call(13, 10, reinterpret_cast<Word>(linux_action), 0, 8);
        const Word arena = call(own_.mmap, kArena, kArenaSize, 3, 0x12 | own_.map_anonymous, ~0ull,
                                0);  // PRIVATE | FIXED
        return at == kProgressAt && arena == kArena;
    }

    void run(Word calls) {
        auto& progress = *reinterpret_cast<volatile Progress*>(kProgressAt);
        for (Word i = 0; i < calls; i++) {
            if (i % 16 == 0)
                fill();
            Word number = random_.below(kNumbers);
            while (progress.unknown[number] || is_our_end(number) ||
                   (only_waits(number) && random_.below(64)))
                number = random_.below(kNumbers);
            Word a[6];
            for (Word& one : a)
                one = argument();
            tame(number, a);
            progress.last = number;
            bool failed;
            const Word result = call(number, a, failed);
            progress.calls = progress.calls + 1;
            failed = failed && freebsd_;  // Linux gives the flags back as they were
            if (is_fork(number) && !failed && result == 0)
                leave();  // the child; one that shares the stack had better be quick
            if (freebsd_ ? failed && result == own_.no_such_call : result == 0 - own_.no_such_call)
                progress.unknown[number] = 1;
        }
    }

    [[noreturn]] void leave() {
        for (;;)
            call(own_.exit, 0);
    }

  private:
    // exit and its like end the program too often; reboot is refused, which the first call shows.
    bool is_our_end(Word n) const {
        return freebsd_ ? n == 1 || n == 431 || n == 463 || n == 417
                        : n == 60 || n == 231 || n == 15;
    }
    // pause, sigsuspend and sigwait end in a signal at best, and a thread with a start of chance in
    // the program's death.
    bool only_waits(Word n) const {
        return freebsd_ ? n == 341 || n == 346 || n == 429 || n == 455 : n == 34 || n == 130;
    }
    bool is_fork(Word n) const {
        return freebsd_ ? n == 2 || n == 66 || n == 251 : n == 57 || n == 58 || n == 56 || n == 435;
    }

    // A new thread's first code is this program at a stack of its own: none.
    void tame(Word number, Word (&a)[6]) {
        if (!freebsd_ && number == 56) {
            a[0] &= ~0x100ull;  // CLONE_VM
            a[1] = 0;
        }
        if (!freebsd_ && number == 435)
            a[1] = 8;  // too small to be one
        if (freebsd_ && number == 251)
            a[0] &= ~(1ull << 5);  // RFMEM
        if (freebsd_ ? number == 66 : number == 58)
            a[0] = 0;
        // Waiting without an end is for others to test.
        if (!freebsd_ && (number == 35 || number == 230) && random_.below(4))
            a[number == 35 ? 0 : 2] = 8;
        // Signals to all but init are not: the one that starts the programs is root, but their last
        // calls would be lost.
        if ((freebsd_ ? number == 37 : number == 62) && a[0] != 0 && random_.below(8))
            a[0] = 1;
    }

    Word address() {
        switch (random_.below(16)) {
            case 0:
                return 0;
            case 1:
                return kArena + kArenaSize - random_.below(64);  // runs out of it
            case 2:
                return kArena + kArenaSize + random_.below(4096);
            case 3:
                return 0xffff'8000'0000'0000 + (random_.next() & 0xffff'ffff);
            case 4:
                return 0x0000'7fff'ffff'f000 - random_.below(2) * 4096;
            case 5:
                return random_.next() << random_.below(32);
            case 6:
                return reinterpret_cast<Word>(&kNames);
            case 7:
                return kArena + random_.below(kArenaSize);
            case 8:
            case 9:
            case 10:
                return reinterpret_cast<Word>(
                    kNames[random_.below(sizeof kNames / sizeof kNames[0])]);
            default:
                return kArena + (random_.below(kArenaSize) & ~7ull);
        }
    }
    Word number() {
        switch (random_.below(10)) {
            case 0:
                return Word{1} << random_.below(64);
            case 1:
                return (Word{1} << random_.below(64)) - 1;
            case 2:
                return 0 - random_.below(16);
            case 3:
                return random_.next() << 7 | random_.below(128);
            case 4:
                return 4096 * random_.below(32);
            case 5:
                return 0x7fff'ffff + random_.below(3);
            default:
                return random_.below(64);
        }
    }
    Word argument() {
        switch (random_.below(4)) {
            case 0:
                return random_.below(24);  // a descriptor, perhaps
            case 1:
                return number();
            default:
                return address();
        }
    }
    // Structures: numbers, descriptors and addresses, as words and as pairs of halves.
    void fill() {
        if (random_.below(64) == 0)  // it may have lost it
            call(own_.mmap, kArena, kArenaSize, 3, 0x12 | own_.map_anonymous, ~0ull, 0);
        bool mapped = true;
        if (random_.below(64) == 0)
            mapped = call(own_.mprotect, kArena, kArenaSize, 3) == 0;
        if (!mapped)
            leave();
        for (int i = 0; i < 24; i++) {
            const Word at = kArena + (random_.below(kArenaSize - 64) & ~7ull);
            for (Word offset = 0; offset < 64; offset += 8)
                *reinterpret_cast<volatile Word*>(at + offset) =
                    random_.below(3) ? argument() : (argument() << 32 | (argument() & 0xffff'ffff));
        }
    }

    const bool freebsd_;
    const Numbers own_;
    Random random_;
};

Word parse(const char* text) {
    Word value = 0;
    while (*text >= '0' && *text <= '9')
        value = value * 10 + static_cast<Word>(*text++ - '0');
    return value;
}

}  // namespace

extern "C" [[noreturn]] void begin(const Word* stack) {
    const auto* arguments = reinterpret_cast<const char* const*>(stack + 1);
    Fuzzer fuzzer(stack[0] == 4 && arguments[1][0] == 'f', stack[0] == 4 ? parse(arguments[2]) : 1);
    if (stack[0] == 4 && fuzzer.prepare())
        fuzzer.run(parse(arguments[3]));
    fuzzer.leave();
}

// Both personalities start it with the stack pointer at argc (FreeBSD: aligned a word lower, and
// RDI too).
asm(R"(
    .globl _start
_start:
    xorl %ebp, %ebp
    movq %rsp, %rax
    testq %rdi, %rdi
    cmovneq %rdi, %rax
    movq %rax, %rdi
    andq $-16, %rsp
    call begin
)");

extern "C" void* memset(void* to, int value, unsigned long size) {
    auto* bytes = static_cast<volatile unsigned char*>(to);
    while (size--)
        *bytes++ = static_cast<unsigned char>(value);
    return to;
}
extern "C" void* memcpy(void* to, const void* from, unsigned long size) {
    auto* bytes = static_cast<volatile unsigned char*>(to);
    const auto* source = static_cast<const unsigned char*>(from);
    while (size--)
        *bytes++ = *source++;
    return to;
}
