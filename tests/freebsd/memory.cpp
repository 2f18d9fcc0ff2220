// mmap(2) as rtld, jemalloc and libthr use it: sys/mman.h.
#include "system.hpp"

#include <initializer_list>

namespace bsd {
namespace {

enum : int {
    kShared = 1,
    kPrivate = 2,
    kFixed = 0x10,
    kStack = 0x400,
    kAnonymous = 0x1000,
    kGuard = 0x2000,
    kExclusive = 0x4000,
    kNoCore = 0x20000,
    kPrefault = 0x40000,
    k32Bit = 0x80000
};
enum : int {
    kNone = 0,
    kRead = 1,
    kWrite = 2,
    kExecute = 4
};
constexpr int aligned(int power) {
    return power << 24;
}

long map(std::uint64_t at, std::uint64_t size, int protection, int flags, int descriptor = -1,
         std::uint64_t offset = 0) {
    return sys(477, at, size, protection, flags, descriptor, offset);
}

// rtld: a guard over the whole object, the segments into it.
bool guard_then_fixed() {
    const long base = map(0, 1 << 20, kNone, kGuard);
    EXPECT(base > 0);
    EXPECT_CALL(map(static_cast<std::uint64_t>(base) + 4096, 4096, kRead | kWrite,
                    kPrivate | kAnonymous | kFixed),
                base + 4096);
    *reinterpret_cast<volatile char*>(base + 4096) = 1;
    EXPECT_CALL(sys(74, base + 4096, 4096, kRead), 0);
    EXPECT_CALL(sys(73, base, 1 << 20), 0);
    EXPECT_CALL(map(0, 4096, kRead, kGuard), -kEinval);
    return true;
}

bool old_rtld_maps() {
    const long base = map(0, 1 << 16, kNone, kPrivate | kAnonymous | kNoCore);
    EXPECT(base > 0);
    EXPECT_CALL(sys(73, base, 1 << 16), 0);
    return true;
}

// arc4random(3)'s state is zeros in a child; what is not to be inherited is not there.
bool inheritance() {
    const long base = map(0, 3 * 4096, kRead | kWrite, kPrivate | kAnonymous);
    EXPECT(base > 0);
    auto* pages = reinterpret_cast<volatile char*>(base);
    for (int i = 0; i < 3; i++)
        pages[i * 4096] = 5;
    EXPECT_CALL(sys(250, base + 4096, 4096, 3), 0);  // minherit(INHERIT_ZERO)
    EXPECT_CALL(sys(250, base + 8192, 4096, 2), 0);  // INHERIT_NONE
    EXPECT_CALL(sys(250, base, 4096, 9), -kEinval);
    const auto child = call(2);
    if (!child.failed && child.value == 0) {
        char residence;
        exit_with(pages[0] == 5 && pages[4096] == 0 && sys(78, base + 8192, 4096, &residence) < 0
                      ? 0
                      : 1);
    }
    std::int32_t status = -1;
    EXPECT_CALL(sys(7, child.value, &status, 0, 0), child.signed_value());
    EXPECT_CALL(status, 0);
    EXPECT(pages[4096] == 5);
    EXPECT_CALL(sys(73, base, 3 * 4096), 0);
    return true;
}

bool alignment() {
    const long big = map(0, 4 << 20, kRead | kWrite, kPrivate | kAnonymous | aligned(21)),
               super = map(0, 2 << 20, kRead | kWrite, kPrivate | kAnonymous | aligned(1));
    EXPECT(big > 0 && big % (2 << 20) == 0 && super > 0 && super % (2 << 20) == 0);
    EXPECT_CALL(sys(73, big, 4 << 20), 0);
    EXPECT_CALL(sys(73, super, 2 << 20), 0);
    return true;
}

bool exclusive() {
    const long base = map(0, 8192, kRead | kWrite, kPrivate | kAnonymous);
    EXPECT(base > 0);
    EXPECT(map(static_cast<std::uint64_t>(base), 4096, kRead,
               kPrivate | kAnonymous | kFixed | kExclusive) < 0);
    EXPECT_CALL(
        map(static_cast<std::uint64_t>(base), 4096, kRead, kPrivate | kAnonymous | kExclusive),
        -kEinval);
    EXPECT_CALL(sys(73, base, 8192), 0);
    return true;
}

bool stacks() {
    const long base = map(0, 1 << 16, kRead | kWrite, kStack);
    EXPECT(base > 0);
    *reinterpret_cast<volatile char*>(base + (1 << 16) - 1) = 1;
    EXPECT_CALL(sys(73, base, 1 << 16), 0);
    return true;
}

bool low_addresses() {
    const long base = map(0, 4096, kRead | kWrite, kPrivate | kAnonymous | k32Bit);
    EXPECT(base > 0 && base < 0x8000'0000);
    EXPECT_CALL(sys(73, base, 4096), 0);
    return true;
}

// sbrk(3): the C library asks where the break is by one that cannot be, since FreeBSD 12.
bool the_break() {
    const long first = sys(17, 0);
    EXPECT(first > 0);
    EXPECT_CALL(sys(17, first + 8192), first + 8192);
    *reinterpret_cast<volatile char*>(first + 8191) = 1;
    EXPECT_CALL(sys(17, 0), first + 8192);
    EXPECT_CALL(sys(17, first), first);
    EXPECT_CALL(sys(17, 1ul << 62), -kEnomem);
    return true;
}

bool wrong_requests() {
    EXPECT_CALL(map(0, 0, kRead, kPrivate | kAnonymous), -kEinval);
    EXPECT_CALL(map(0, 4096, kRead, kPrivate | kAnonymous, 5), -kEinval);
    EXPECT_CALL(map(0, 4096, kRead, kPrivate, 77), -kEbadf);
    EXPECT_CALL(sys(73, 1ul << 60, 4096), -kEinval);
    return true;
}

bool advice() {
    const long base = map(0, 1 << 16, kRead | kWrite, kPrivate | kAnonymous);
    *reinterpret_cast<volatile char*>(base) = 7;
    EXPECT_CALL(sys(75, base, 1 << 16, 5), 0);  // MADV_FREE
    const char now = *reinterpret_cast<volatile char*>(base);
    EXPECT(now == 7 || now == 0);
    char resident[16];
    EXPECT_CALL(sys(78, base, 1 << 16, resident), 0);
    EXPECT_CALL(sys(203, base, 4096), 0);
    EXPECT_CALL(sys(204, base, 4096), 0);
    EXPECT_CALL(sys(250, base, 4096, 1), 0);  // minherit(INHERIT_COPY)
    EXPECT_CALL(sys(73, base, 1 << 16), 0);
    return true;
}

bool a_file_shared() {
    const long file = sys(499, -100, "/tmp/map", 0x200 | 2, 0600);  // O_CREAT | O_RDWR
    EXPECT(file >= 0);
    EXPECT_CALL(sys(480, file, 4096), 0);
    const long base = map(0, 4096, kRead | kWrite, kShared, static_cast<int>(file));
    EXPECT(base > 0);
    reinterpret_cast<volatile char*>(base)[10] = 'x';
    EXPECT_CALL(sys(65, base, 4096, 0), 0);
    char seen = 0;
    EXPECT_CALL(sys(475, file, &seen, 1, 10), 1);
    EXPECT(seen == 'x');
    EXPECT_CALL(sys(73, base, 4096), 0);
    sys(6, file);
    EXPECT_CALL(sys(10, "/tmp/map"), 0);
    return true;
}

bool anonymous_shared_memory() {
    const long file = sys(482, 1, 2, 0600);  // shm_open(SHM_ANON), as FreeBSD 12 and before
    EXPECT(file >= 0);
    EXPECT_CALL(sys(480, file, 8192), 0);
    sys(6, file);
    return true;
}

constexpr int kWxmapControl = 21, kWxmapStatus = 22, kProtmaxControl = 15, kProtmaxStatus = 16,
              kEacces = 13;
constexpr int most(int protection) {
    return protection << 16;
}

long wx_status() {
    std::int32_t status = -1;
    const long r = sys(544, 0, 0, kWxmapStatus, &status);  // procctl(P_PID, own)
    return r ? r : static_cast<std::uint32_t>(status);
}
long set_control(int which, std::int32_t value) {
    return sys(544, 0, 0, which, &value);
}

// PROT_MAX(): what a mapping may become, in mmap(2) and mprotect(2).
bool maximal_protection() {
    const long base = map(0, 8192, kRead | kWrite | most(kRead | kWrite), kPrivate | kAnonymous);
    EXPECT(base > 0);
    EXPECT_CALL(sys(74, base, 4096, kRead | kExecute), -kEacces);
    EXPECT_CALL(sys(74, base, 4096, kRead | most(kRead)), 0);
    EXPECT_CALL(sys(74, base, 4096, kRead | kWrite), -kEacces);
    EXPECT_CALL(sys(74, base + 4096, 4096, kRead | kWrite), 0);
    EXPECT_CALL(sys(74, base + 4096, 4096, kWrite | most(kRead)), -kEopnotsupp);
    EXPECT_CALL(sys(74, base + 4096, 4096, kRead | most(kRead | kExecute)), -kEacces);
    EXPECT_CALL(sys(73, base, 8192), 0);
    std::int32_t status = 0;
    EXPECT_CALL(sys(544, 0, 0, kProtmaxStatus, &status), 0);
    EXPECT_CALL(status, 3);  // PROC_PROTMAX_NOFORCE
    EXPECT_CALL(set_control(kProtmaxControl, 1), 0);
    EXPECT_CALL(sys(544, 0, 0, kProtmaxStatus, &status), 0);
    EXPECT(static_cast<std::uint32_t>(status) == 0x8000'0001);
    const long tight = map(0, 4096, kRead, kPrivate | kAnonymous);
    const long refused = sys(74, tight, 4096, kRead | kWrite);
    EXPECT_CALL(set_control(kProtmaxControl, 3), 0);
    EXPECT_CALL(set_control(kProtmaxControl, 4), -kEinval);
    EXPECT_CALL(refused, -kEacces);
    return true;
}

// W^X: allowed as it comes, forbidden after exec if asked for, or if the system says so.
bool write_xor_execute() {
    EXPECT_CALL(wx_status(), 0);
    const long base = map(0, 4096, kRead | kWrite | kExecute, kPrivate | kAnonymous);
    EXPECT(base > 0);
    EXPECT_CALL(sys(73, base, 4096), 0);
    EXPECT_CALL(set_control(kWxmapControl, 0), -kEinval);
    for (const bool by_system : {false, true}) {
        std::int32_t allow = 0;
        const char name[] = "kern.elf64.allow_wx";
        if (by_system)
            EXPECT_CALL(sys(570, name, sizeof name - 1, 0, 0, &allow, sizeof allow), 0);
        const auto child = call(2);
        if (!child.failed && child.value == 0) {
            if (!by_system && (set_control(kWxmapControl, 2) != 0 || wx_status() != 2))
                exit_with(23);
            const char* const arguments[] = {"w^x", nullptr};
            sys(59, "/root/program", arguments, arguments + 1);
            exit_with(24);
        }
        std::int32_t status = 0;
        const long waited = sys(7, child.value, &status, 0, 0);
        allow = 1;
        if (by_system)
            EXPECT_CALL(sys(570, name, sizeof name - 1, 0, 0, &allow, sizeof allow), 0);
        EXPECT_CALL(waited, child.signed_value());
        EXPECT_CALL(status, 21 << 8);
    }
    return true;
}

}  // namespace

bool lives_with_wxorx() {
    EXPECT(wx_status() & 0x8000'0000);  // PROC_WXORX_ENFORCE
    constexpr int kAll = kRead | kWrite | kExecute;
    EXPECT_CALL(map(0, 4096, kAll, kPrivate | kAnonymous), -kEacces);
    const long base = map(0, 4096, kRead | kWrite, kPrivate | kAnonymous);
    EXPECT(base > 0);
    EXPECT_CALL(sys(74, base, 4096, kAll), -kEacces);
    reinterpret_cast<volatile std::uint8_t*>(base)[0] = 0xc3;  // ret
    EXPECT_CALL(sys(74, base, 4096, kRead | kExecute), 0);
    reinterpret_cast<void (*)()>(base)();
    // A child lives with it too, until it is let off.
    const auto child = call(2);
    if (!child.failed && child.value == 0)
        exit_with(map(0, 4096, kAll, kPrivate | kAnonymous) == -kEacces &&
                          set_control(kWxmapControl, 1) == 0 && !(wx_status() & 0x8000'0000) &&
                          sys(74, base, 4096, kAll) == 0
                      ? 25
                      : 26);
    std::int32_t status = 0;
    EXPECT_CALL(sys(7, child.value, &status, 0, 0), child.signed_value());
    EXPECT_CALL(status, 25 << 8);
    return true;
}

void memory_cases() {
    const Case cases[] = {
        {"map_guard", guard_then_fixed},
        {"map_nocore", old_rtld_maps},
        {"map_aligned", alignment},
        {"map_excl", exclusive},
        {"map_stack", stacks},
        {"map_32bit", low_addresses},
        {"break", the_break},
        {"map_errors", wrong_requests},
        {"madvise_mincore", advice},
        {"map_file", a_file_shared},
        {"shm_anon", anonymous_shared_memory},
        {"minherit", inheritance},
        {"prot_max", maximal_protection},
        {"w_xor_x", write_xor_execute},
    };
    run_cases(cases, sizeof cases / sizeof cases[0]);
}

}  // namespace bsd
