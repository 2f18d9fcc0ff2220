// Threads as libthr makes them: thr_new(2), _umtx_op(2), cpuset(2).
#include "system.hpp"

namespace bsd {
namespace {

constexpr int kUmtx = 454;
enum : int {
    kWait = 2,
    kWake = 3,
    kMutexLock = 5,
    kMutexUnlock = 6,
    kConditionWait = 8,
    kConditionSignal = 9,
    kConditionBroadcast = 10,
    kReadLock = 12,
    kWriteLock = 13,
    kRwUnlock = 14,
    kWaitPrivate = 15,
    kWakePrivate = 16,
    kSemaphoreWait = 23,
    kSemaphoreWake = 24,
    kRobustLists = 26
};

struct Mutex {
    std::uint32_t owner, flags, ceilings[2];
    std::uint64_t link;
    std::uint32_t spare[2];
} mutex;
struct Condition {
    std::uint32_t has_waiters, flags, clock, spare;
} condition;
struct Rwlock {
    std::uint32_t state, flags, blocked_readers, blocked_writers, spare[4];
} rwlock;
struct Semaphore {
    std::uint32_t count, flags;
} semaphore;

struct Parameters {
    void (*entry)(void*);
    void* argument;
    char* stack;
    std::uint64_t stack_size;
    std::uint64_t* tls;
    std::uint64_t tls_size;
    long *child_id, *parent_id;
    std::int32_t flags;
    void* priority;
    void* spare[3];
};
static_assert(sizeof(Parameters) == 104);

constexpr int kThreads = 4;
alignas(16) char stacks[kThreads][16 * 1024];
std::uint64_t blocks[kThreads][4];
long child_ids[kThreads], parent_ids[kThreads];
std::uint32_t done;
volatile int value;

// The end of a thread is told by a long that becomes 1.
long ended[kThreads];

bool start_thread(int n, void (*entry)(void*)) {
    blocks[n][0] = word(blocks[n]);
    ended[n] = 0;
    const Parameters p{entry,
                       reinterpret_cast<void*>(static_cast<std::uintptr_t>(n)),
                       stacks[n],
                       sizeof stacks[n],
                       blocks[n],
                       sizeof blocks[n],
                       &child_ids[n],
                       &parent_ids[n],
                       0,
                       nullptr,
                       {}};
    return sys(455, &p, sizeof p) == 0;
}

[[noreturn]] void end_thread(void* argument) {
    sys(431, &ended[reinterpret_cast<std::uintptr_t>(argument)]);
    for (;;) {
    }
}

bool join(int n) {
    while (!__atomic_load_n(&ended[n], __ATOMIC_ACQUIRE))
        if (const long r = sys(kUmtx, &ended[n], kWait, 0, 0, 0); r != 0 && r != -kEintr)
            return complain("join", r);
    return true;
}

void count_with_mutex(void* argument) {
    std::uint64_t self;
    asm("mov %%fs:0, %0" : "=r"(self));
    for (int i = 0; i < 1000 && self == word(blocks[reinterpret_cast<std::uintptr_t>(argument)]);
         i++) {
        sys(kUmtx, &mutex, kMutexLock, 0, 0, 0);
        value = value + 1;
        sys(kUmtx, &mutex, kMutexUnlock, 0, 0, 0);
    }
    end_thread(argument);
}

bool threads_and_a_mutex() {
    long me = 0;
    EXPECT_CALL(sys(432, &me), 0);
    value = 0;
    for (int n = 0; n < kThreads; n++)
        EXPECT(start_thread(n, count_with_mutex));
    for (int n = 0; n < kThreads; n++) {
        EXPECT(join(n));
        EXPECT(child_ids[n] == parent_ids[n] && child_ids[n] > 0 && child_ids[n] != me);
    }
    EXPECT_CALL(value, kThreads * 1000);
    return true;
}

void wait_for_condition(void* argument) {
    sys(kUmtx, &mutex, kMutexLock, 0, 0, 0);
    __atomic_fetch_add(&done, 1, __ATOMIC_ACQ_REL);
    while (value == 0) {
        sys(kUmtx, &condition, kConditionWait, 0, &mutex, 0);
        sys(kUmtx, &mutex, kMutexLock, 0, 0, 0);
    }
    sys(kUmtx, &mutex, kMutexUnlock, 0, 0, 0);
    end_thread(argument);
}

bool a_condition() {
    value = 0;
    done = 0;
    for (int n = 0; n < kThreads; n++)
        EXPECT(start_thread(n, wait_for_condition));
    while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) < kThreads)
        sys(331);
    sys(kUmtx, &mutex, kMutexLock, 0, 0, 0);
    value = 1;
    EXPECT_CALL(sys(kUmtx, &condition, kConditionSignal, 0, 0, 0), 0);
    EXPECT_CALL(sys(kUmtx, &condition, kConditionBroadcast, 0, 0, 0), 0);
    EXPECT_CALL(sys(kUmtx, &mutex, kMutexUnlock, 0, 0, 0), 0);
    for (int n = 0; n < kThreads; n++)
        EXPECT(join(n));
    const Time soon{0, 1'000'000};
    EXPECT_CALL(sys(kUmtx, &mutex, kMutexLock, 0, 0, 0), 0);
    EXPECT_CALL(sys(kUmtx, &condition, kConditionWait, 0, &mutex, &soon), -kEtimedout);
    EXPECT_CALL(mutex.owner & 0x7fff'ffff, 0);
    return true;
}

void write_and_read(void* argument) {
    for (int i = 0; i < 500; i++) {
        sys(kUmtx, &rwlock, kWriteLock, 0, 0, 0);
        value = value + 1;
        sys(kUmtx, &rwlock, kRwUnlock, 0, 0, 0);
        sys(kUmtx, &rwlock, kReadLock, 0, 0, 0);
        if (value < i)
            __atomic_fetch_add(&done, 1, __ATOMIC_ACQ_REL);
        sys(kUmtx, &rwlock, kRwUnlock, 0, 0, 0);
    }
    end_thread(argument);
}

bool a_rwlock() {
    value = 0;
    done = 0;
    EXPECT_CALL(sys(kUmtx, &rwlock, kRwUnlock, 0, 0, 0), -kEperm);
    for (int n = 0; n < kThreads; n++)
        EXPECT(start_thread(n, write_and_read));
    for (int n = 0; n < kThreads; n++)
        EXPECT(join(n));
    EXPECT_CALL(value, kThreads * 500);
    EXPECT_CALL(done, 0);
    EXPECT_CALL(rwlock.state, 0);
    EXPECT(rwlock.blocked_readers == 0 && rwlock.blocked_writers == 0);
    return true;
}

// sem_post(3) and sem_wait(3) of libc.
void post(void* argument) {
    for (int i = 0; i < 500; i++)
        if (__atomic_fetch_add(&semaphore.count, 1, __ATOMIC_ACQ_REL) & 0x8000'0000)
            sys(kUmtx, &semaphore, kSemaphoreWake, 0, 0, 0);
    end_thread(argument);
}

bool a_semaphore() {
    EXPECT(start_thread(0, post));
    EXPECT(start_thread(1, post));
    for (int taken = 0; taken < 1000;) {
        std::uint32_t count = __atomic_load_n(&semaphore.count, __ATOMIC_ACQUIRE);
        if (!(count & 0x7fff'ffff))
            EXPECT_CALL(sys(kUmtx, &semaphore, kSemaphoreWait, 0, 0, 0), 0);
        else if (__atomic_compare_exchange_n(&semaphore.count, &count, count - 1, false,
                                             __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            taken++;
    }
    EXPECT(join(0) && join(1));
    const Time soon{0, 1'000'000};
    EXPECT_CALL(sys(kUmtx, &semaphore, kSemaphoreWait, 0, sizeof soon, &soon), -kEtimedout);
    return true;
}

bool waits_and_wakes() {
    std::uint32_t here = 5;
    const Time soon{0, 1'000'000};
    EXPECT_CALL(sys(kUmtx, &here, kWaitPrivate, 6, 0, 0), 0);
    EXPECT_CALL(sys(kUmtx, &here, kWaitPrivate, 5, sizeof soon, &soon), -kEtimedout);
    EXPECT_CALL(sys(kUmtx, &here, kWakePrivate, 1, 0, 0), 0);
    EXPECT_CALL(sys(kUmtx, &here, 999, 0, 0, 0), -kEopnotsupp);
    return true;
}

// As rtld and libc set the base where CPUID has FSGSBASE: without a call. It is still there after
// the CPU was given up, in a child, and after a signal.
bool own_base() {
    std::uint32_t a = 7, b, c = 0, d;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (!(b & 1))
        return true;
    static std::uint64_t block[2];
    std::uint64_t old, seen, base = word(block);
    block[0] = base;
    asm volatile("rdfsbase %0" : "=r"(old));
    asm volatile("wrfsbase %0" : : "r"(base));
    const Time pause{0, 3'000'000};
    sys(240, &pause, 0);
    asm volatile("mov %%fs:0, %0" : "=r"(seen));
    std::uint64_t told = 0;
    const long asked = sys(165, 128, &told);
    const auto child = call(2);
    if (!child.failed && child.value == 0) {
        std::uint64_t in_child;
        asm volatile("mov %%fs:0, %0" : "=r"(in_child));
        exit_with(in_child == base ? 5 : 6);
    }
    std::int32_t status = 0;
    sys(7, child.value, &status, 0, 0);
    // A kernel's address in GS: nothing that arrives meanwhile believes it.
    asm volatile("wrgsbase %0" : : "r"(0xffff'8000'0000'0000ul));
    for (int i = 0; i < 50; i++)
        sys(331);
    std::uint64_t gs;
    asm volatile("rdgsbase %0" : "=r"(gs));
    asm volatile("wrgsbase %0" : : "r"(0ul));
    asm volatile("wrfsbase %0" : : "r"(old));
    EXPECT(seen == base);
    EXPECT_CALL(asked, 0);
    EXPECT(told == base);
    EXPECT_CALL(status, 5 << 8);
    EXPECT(gs == 0xffff'8000'0000'0000ul);
    return true;
}

// Robust mutexes: UMTX_OP_ROBUST_LISTS as libthr asks for it.
constexpr std::uint32_t kRobust = 0x10, kNotConsistent = 0x20, kOwnerDead = 0x8000'0010,
                        kNotRecoverable = 0x8000'0011;
Mutex robust[4];
std::uint64_t robust_head, robust_private_head, robust_inactive;

void die_with_mutexes(void* argument) {
    const std::uint64_t lists[3] = {word(&robust_head), word(&robust_private_head),
                                    word(&robust_inactive)};
    bool fine = sys(kUmtx, lists, kRobustLists, sizeof lists, 0, 0) == 0;
    for (Mutex& m : robust)
        fine = fine && sys(kUmtx, &m, kMutexLock, 0, 0, 0) == 0;
    robust_head = word(&robust[0]);
    robust[0].link = word(&robust[1]);
    robust_private_head = word(&robust[2]);
    robust_inactive = word(&robust[3]);
    value = fine ? 1 : 2;
    end_thread(argument);
}

bool robust_mutexes() {
    const std::uint64_t lists[4] = {};
    EXPECT_CALL(sys(kUmtx, lists, kRobustLists, sizeof lists, 0, 0), -kEinval);
    EXPECT_CALL(sys(kUmtx, 8, kRobustLists, 24, 0, 0), -kEfault);
    for (Mutex& m : robust)
        m.flags = kRobust;
    value = 0;
    EXPECT(start_thread(0, die_with_mutexes));
    EXPECT(join(0));
    EXPECT_CALL(value, 1);
    for (const Mutex& m : robust)
        EXPECT(m.owner == kOwnerDead);
    constexpr int kTryLock = 4, kMutexWait = 17;
    EXPECT_CALL(sys(kUmtx, &robust[0], kMutexWait, 0, 0, 0), 0);
    EXPECT_CALL(sys(kUmtx, &robust[0], kMutexLock, 0, 0, 0), -96);  // EOWNERDEAD
    EXPECT_CALL(sys(kUmtx, &robust[1], kTryLock, 0, 0, 0), -96);
    EXPECT_CALL(sys(kUmtx, &robust[0], kMutexUnlock, 0, 0, 0), 0);
    EXPECT_CALL(sys(kUmtx, &robust[0], kMutexLock, 0, 0, 0), 0);
    EXPECT_CALL(sys(kUmtx, &robust[0], kMutexUnlock, 0, 0, 0), 0);
    robust[1].flags |= kNotConsistent;
    EXPECT_CALL(sys(kUmtx, &robust[1], kMutexUnlock, 0, 0, 0), 0);
    EXPECT(robust[1].owner == kNotRecoverable);
    EXPECT_CALL(sys(kUmtx, &robust[1], kMutexLock, 0, 0, 0), -95);  // ENOTRECOVERABLE
    EXPECT_CALL(sys(kUmtx, &robust[1], kMutexWait, 0, 0, 0), 0);
    return true;
}

bool processors() {
    std::uint64_t set[4] = {};
    EXPECT_CALL(sys(487, 3, 1, -1, sizeof set, set), 0);  // CPU_LEVEL_WHICH, CPU_WHICH_TID
    EXPECT(set[0] & 1);
    EXPECT_CALL(sys(488, 3, 1, -1, sizeof set, set), 0);
    EXPECT(sys(581) >= 0);  // sched_getcpu
    return true;
}

}  // namespace

void thread_cases() {
    const Case cases[] = {
        {"umtx_wait", waits_and_wakes},  {"thr_new", threads_and_a_mutex},
        {"umtx_condition", a_condition}, {"umtx_rwlock", a_rwlock},
        {"umtx_semaphore", a_semaphore}, {"cpuset", processors},
        {"umtx_robust", robust_mutexes}, {"wrfsbase", own_base},
    };
    run_cases(cases, sizeof cases / sizeof cases[0]);
}

}  // namespace bsd
