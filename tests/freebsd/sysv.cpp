// System V's objects between a parent and its child: sys/ipc.h, sys/msg.h, sys/sem.h, sys/shm.h.
#include "system.hpp"

namespace bsd {
namespace {

enum : int {
    kCreate = 0x200,
    kExclusive = 0x400,
    kNoWait = 0x800,
    kUndo = 0x1000
};
struct Permissions {
    std::uint32_t creator_user, creator_group, user, group;
    std::uint16_t mode, sequence;
    std::int64_t key;
};
static_assert(sizeof(Permissions) == 32);

bool shared_segments() {
    const long id = sys(231, 4711, 10'000, kCreate | kExclusive | 0600);  // shmget
    EXPECT(id >= 0);
    EXPECT_CALL(sys(231, 4711, 10'000, kCreate | kExclusive | 0600), -kEexist);
    EXPECT_CALL(sys(231, 4711, 20'000, 0), -kEinval);
    const long at = sys(228, id, 0, 0), read_only = sys(228, id, 0, 0x1000);  // shmat
    EXPECT(at > 0 && read_only > 0 && at != read_only);
    const auto child = call(2);
    if (!child.failed && child.value == 0) {
        *reinterpret_cast<volatile int*>(at + 8192) = 99;
        exit_with(0);
    }
    EXPECT_CALL(sys(7, child.value, 0, 0, 0), child.signed_value());
    EXPECT_CALL(*reinterpret_cast<volatile int*>(read_only + 8192), 99);
    EXPECT_CALL(sys(74, read_only, 4096, 3), -13);  // mprotect: EACCES
    struct {
        Permissions permissions;
        std::uint64_t size;
        std::int32_t last, creator, attached, padding;
        std::int64_t times[3];
    } state{};
    static_assert(sizeof state == 80);
    EXPECT_CALL(sys(512, id, 2, &state), 0);  // shmctl(IPC_STAT)
    EXPECT(state.size == 10'000 && state.attached == 2 && state.creator == sys(20));
    EXPECT(state.permissions.key == 4711 && (state.permissions.mode & 0777) == 0600);
    EXPECT_CALL(sys(512, id, 0, 0), 0);  // IPC_RMID: it lives on where it is shown
    EXPECT_CALL(sys(228, id, 0, 0), -kEinval);
    EXPECT_CALL(*reinterpret_cast<volatile int*>(at + 8192), 99);
    EXPECT_CALL(sys(230, at), 0);  // shmdt
    EXPECT_CALL(sys(230, read_only), 0);
    EXPECT_CALL(sys(230, at), -kEinval);
    return true;
}

bool semaphore_sets() {
    struct Step {
        std::uint16_t number;
        std::int16_t change, flags;
    };
    const long id = sys(221, 0, 2, kCreate | 0600);  // semget(IPC_PRIVATE)
    EXPECT(id >= 0);
    const std::uint64_t three = 3;
    EXPECT_CALL(sys(510, id, 0, 8, &three), 0);  // SETVAL
    EXPECT_CALL(sys(510, id, 0, 5, 0), 3);       // GETVAL
    const Step take{1, -1, 0}, give[] = {{0, -2, static_cast<std::int16_t>(kUndo)}, {1, 1, 0}};
    const auto child = call(2);
    if (!child.failed && child.value == 0)
        exit_with(sys(222, id, give, 2) == 0 ? 0 : 1);
    EXPECT_CALL(sys(222, id, &take, 1), 0);  // sleeps until the child gives
    EXPECT_CALL(sys(7, child.value, 0, 0, 0), child.signed_value());
    EXPECT_CALL(sys(510, id, 0, 5, 0), 3);  // its end took back what it took
    const Step now{1, -1, kNoWait};
    EXPECT_CALL(sys(222, id, &now, 1), -kEagain);
    const Step none{5, 1, 0};
    EXPECT_CALL(sys(222, id, &none, 1), -27);  // EFBIG
    std::uint16_t values[2] = {};
    const auto to = word(values);
    EXPECT_CALL(sys(510, id, 0, 6, &to), 0);  // GETALL
    EXPECT(values[0] == 3 && values[1] == 0);
    EXPECT_CALL(sys(510, id, 0, 0, 0), 0);
    EXPECT_CALL(sys(222, id, &take, 1), -kEinval);
    return true;
}

bool message_queues() {
    struct {
        std::int64_t type;
        char text[16];
    } message{5, "hello"};
    const long id = sys(225, 0, kCreate | 0600);  // msgget(IPC_PRIVATE)
    EXPECT(id >= 0);
    const auto child = call(2);
    if (!child.failed && child.value == 0)
        exit_with(sys(226, id, &message, 6, 0) == 0 ? 0 : 1);  // msgsnd
    message = {};
    EXPECT_CALL(sys(227, id, &message, sizeof message.text, 5, 0), 6);  // msgrcv
    EXPECT(message.type == 5 && equal(message.text, "hello"));
    EXPECT_CALL(sys(7, child.value, 0, 0, 0), child.signed_value());
    EXPECT_CALL(sys(227, id, &message, sizeof message.text, 0, kNoWait), -83);  // ENOMSG
    struct {
        Permissions permissions;
        std::uint64_t first, last, bytes, count, capacity;
        std::int32_t sender, receiver;
        std::int64_t times[3];
    } state{};
    static_assert(sizeof state == 104);
    EXPECT_CALL(sys(511, id, 2, &state), 0);
    EXPECT(state.count == 0 && state.sender == child.signed_value() && state.receiver == sys(20));
    EXPECT_CALL(sys(511, id, 0, 0), 0);
    EXPECT_CALL(sys(511, id, 0, 0), -kEinval);
    return true;
}

}  // namespace

void sysv_cases() {
    const Case cases[] = {{"sysv_memory", shared_segments},
                          {"sysv_semaphores", semaphore_sets},
                          {"sysv_queues", message_queues}};
    run_cases(cases, sizeof cases / sizeof cases[0]);
}

}  // namespace bsd
