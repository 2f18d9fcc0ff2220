// System V's queues, semaphores and shared memory: sys/ipc.h, sys/msg.h, sys/sem.h, sys/shm.h as
// they are since FreeBSD 8.
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/ipc/sysv_memory.hpp>
#include <kernel/ipc/sysv_queues.hpp>
#include <kernel/ipc/sysv_semaphores.hpp>
#include <kernel/mm/layout.hpp>
#include <kernel/proc/process.hpp>

#include <algorithm>

namespace skep::kernel::freebsd_abi {

namespace {

enum : std::uint32_t {
    kCreate = 0x200,
    kExclusive = 0x400,
    kNoWait = 0x800,
    kNoError = 0x1000,    // MSG_NOERROR
    kUndo = 0x1000,       // SEM_UNDO
    kReadOnly = 0x1000,   // SHM_RDONLY
    kRoundDown = 0x2000,  // SHM_RND
};
enum Command : std::int32_t {
    kRemove = 0,
    kSet = 1,
    kStat = 2
};

sysv::GetHow how(std::uint64_t key, std::uint64_t flags) {
    return {.key = static_cast<std::int64_t>(key),
            .create = (flags & kCreate) != 0,
            .exclusive = (flags & kExclusive) != 0,
            .mode = static_cast<std::uint16_t>(flags & 0777)};
}

Returns number(const Result<std::int32_t>& id) {
    return static_cast<std::uint64_t>(SKEP_TRY(id));
}

struct BsdPermissions {  // struct ipc_perm
    std::uint32_t creator_user, creator_group, user, group;
    std::uint16_t mode, sequence;
    std::uint32_t padding;
    std::int64_t key;
};
static_assert(sizeof(BsdPermissions) == 32);
BsdPermissions shown(const sysv::Permissions& p) {
    return {p.creator_user, p.creator_group, p.user, p.group, p.mode, p.sequence, 0, p.key};
}

// --- queues ---

struct BsdQueue {  // struct msqid_ds
    BsdPermissions permissions;
    std::uint64_t first, last, bytes, count, capacity;
    std::int32_t last_sender, last_receiver;
    std::int64_t sent, received, changed;
};
static_assert(sizeof(BsdQueue) == 104);

Returns msgget(Arguments a) {
    return number(sysv::get_queue(how(a[0], a[1])));
}

Returns msgsnd(Arguments a) {
    if (a[2] > sysv::kMessageMax)
        return fail(Errno::Inval);
    Owned<sysv::QueuedMessage> message = SKEP_TRY(make_owned<sysv::QueuedMessage>());
    message->type = SKEP_TRY(copy_in<std::int64_t>(a[1]));
    SKEP_TRY(message->bytes.resize(a[2]));
    SKEP_TRY(copy_in(message->bytes.data(), a[1] + sizeof(std::int64_t), a[2]));
    return done(sysv::send(static_cast<std::int32_t>(a[0]), std::move(message), a[3] & kNoWait));
}

Returns msgrcv(Arguments a) {
    if (static_cast<std::int64_t>(a[2]) < 0)
        return fail(Errno::Inval);
    const Owned<sysv::QueuedMessage> message =
        SKEP_TRY(sysv::receive(static_cast<std::int32_t>(a[0]), static_cast<std::int64_t>(a[3]),
                               a[2], a[4] & kNoError, a[4] & kNoWait));
    SKEP_TRY(copy_out(a[1], message->type));
    SKEP_TRY(copy_out(a[1] + sizeof(std::int64_t), message->bytes.data(), message->bytes.size()));
    return message->bytes.size();
}

Returns msgctl(Arguments a) {
    const auto id = static_cast<std::int32_t>(a[0]);
    switch (static_cast<std::int32_t>(a[1])) {
        case kRemove:
            return done(sysv::remove_queue(id));
        case kSet: {
            const auto wanted = SKEP_TRY(copy_in<BsdQueue>(a[2]));
            return done(sysv::change_queue(id, {wanted.permissions.user, wanted.permissions.group,
                                                wanted.permissions.mode, wanted.capacity}));
        }
        case kStat: {
            const sysv::QueueState s = SKEP_TRY(sysv::queue_state(id));
            SKEP_TRY(copy_out(
                a[2], BsdQueue{shown(s.permissions), 0, 0, s.bytes, s.count, s.capacity,
                               s.last_sender, s.last_receiver, s.sent, s.received, s.changed}));
            return 0;
        }
        default:
            return fail(Errno::Inval);
    }
}

// --- semaphores ---

struct BsdSet {  // struct semid_ds
    BsdPermissions permissions;
    std::uint64_t base;
    std::uint16_t count, padding[3];
    std::int64_t used, changed;
};
static_assert(sizeof(BsdSet) == 64);
struct BsdStep {  // struct sembuf
    std::uint16_t number;
    std::int16_t change, flags;
};
static_assert(sizeof(BsdStep) == 6);

Returns semget(Arguments a) {
    if (static_cast<std::int32_t>(a[1]) < 0)
        return fail(Errno::Inval);
    return number(sysv::get_set(how(a[0], a[2]), static_cast<std::uint32_t>(a[1])));
}

Returns semop(Arguments a) {
    constexpr std::size_t kMost = 100;
    if (a[2] == 0)
        return fail(Errno::Inval);
    if (a[2] > kMost)
        return fail(Errno::TooBig);
    BsdStep given[kMost];
    sysv::SemaphoreStep steps[kMost];
    SKEP_TRY(copy_in(given, a[1], a[2] * sizeof(BsdStep)));
    for (std::size_t i = 0; i < a[2]; i++)
        steps[i] = {given[i].number, given[i].change,
                    (static_cast<std::uint16_t>(given[i].flags) & kNoWait) != 0,
                    (static_cast<std::uint16_t>(given[i].flags) & kUndo) != 0};
    return done(sysv::operate(static_cast<std::int32_t>(a[0]), {steps, a[2]}));
}

Returns get_all(std::int32_t id, UserAddr to) {
    Vector<std::uint16_t> values;
    SKEP_TRY(values.reserve(sysv::kSemaphoresMax));
    SKEP_TRY(sysv::read_values(id, values));
    SKEP_TRY(copy_out(to, values.data(), values.size() * sizeof values[0]));
    return 0;
}

Returns set_all(std::int32_t id, UserAddr from) {
    Vector<std::uint16_t> values;
    SKEP_TRY(values.resize(SKEP_TRY(sysv::set_state(id)).count));
    SKEP_TRY(copy_in(values.data(), from, values.size() * sizeof values[0]));
    return done(sysv::write_values(id, values.span()));
}

// __semctl(2): the fourth argument is where the union lies.
Returns semctl(Arguments a) {
    enum : std::int32_t {
        GetWaitMore = 3,
        GetProcess = 4,
        GetValue = 5,
        GetAll = 6,
        GetWaitZero = 7,
        SetValue = 8,
        SetAll = 9
    };
    const auto id = static_cast<std::int32_t>(a[0]), command = static_cast<std::int32_t>(a[2]);
    const auto which = static_cast<std::uint32_t>(a[1]);
    const bool takes = command == kSet || command == kStat || command == GetAll ||
                       command == SetValue || command == SetAll;
    const std::uint64_t argument = takes ? SKEP_TRY(copy_in<std::uint64_t>(a[3])) : 0;
    switch (command) {
        case kRemove:
            return done(sysv::remove_set(id));
        case kSet: {
            const auto wanted = SKEP_TRY(copy_in<BsdSet>(argument)).permissions;
            return done(sysv::change_set(id, wanted.user, wanted.group, wanted.mode));
        }
        case kStat: {
            const sysv::SetState s = SKEP_TRY(sysv::set_state(id));
            SKEP_TRY(copy_out(argument,
                              BsdSet{shown(s.permissions), 0, s.count, {}, s.used, s.changed}));
            return 0;
        }
        case GetWaitMore:
            return SKEP_TRY(sysv::semaphore(id, which)).wait_for_more;
        case GetWaitZero:
            return SKEP_TRY(sysv::semaphore(id, which)).wait_for_zero;
        case GetProcess:
            return static_cast<std::uint64_t>(SKEP_TRY(sysv::semaphore(id, which)).process);
        case GetValue:
            return SKEP_TRY(sysv::semaphore(id, which)).value;
        case SetValue:
            return done(sysv::write_value(id, which, static_cast<std::int32_t>(argument)));
        case GetAll:
            return get_all(id, argument);
        case SetAll:
            return set_all(id, argument);
        default:
            return fail(Errno::Inval);
    }
}

// --- shared memory ---

struct BsdSegment {  // struct shmid_ds
    BsdPermissions permissions;
    std::uint64_t size;
    std::int32_t last, creator;
    std::uint32_t attached, padding;
    std::int64_t attached_at, detached_at, changed;
};
static_assert(sizeof(BsdSegment) == 80);

Returns shmget(Arguments a) {
    return number(sysv::get_segment(how(a[0], a[2]), a[1]));
}

Returns shmat(Arguments a) {
    const bool write = !(a[2] & kReadOnly);
    const sysv::Shown segment =
        SKEP_TRY(sysv::attach_segment(static_cast<std::int32_t>(a[0]), write));
    MapRequest request{.address = a[1],
                       .size = segment.size,
                       .protection = write ? kProtRead | kProtWrite : kProtRead,
                       .shared = true,
                       .fixed = a[1] != 0,
                       .replace = false,
                       .object = segment.object};
    if (!write)
        request.max_protection = kProtRead;
    if (a[2] & kRoundDown)
        request.address &= ~(kPageSize - 1);
    if (request.address % kPageSize || request.address >= kUserEnd)
        return fail(Errno::Inval);
    const auto at = current_process().map->map(request);
    if (!at)
        return fail(at.error() == Errno::Exist ? Errno::NoMem : at.error());
    return *at;
}

Returns shmdt(Arguments a) {
    VmMap& map = *current_process().map;
    std::uint64_t size = 0;
    map.for_each_entry([&](const MapEntry& e) {
        if (!size && e.object && e.start - e.offset == a[0])
            (void)sysv::detach_segment(e.object.get(), size);
    });
    if (!size)
        return fail(Errno::Inval);
    return done(map.unmap(a[0], size));
}

Returns shmctl(Arguments a) {
    constexpr std::int32_t kLock = 11, kUnlock = 12, kStatBySlot = 13;
    auto id = static_cast<std::int32_t>(a[0]);
    const auto command = static_cast<std::int32_t>(a[1]);
    switch (command) {
        case kRemove:
            return done(sysv::remove_segment(id));
        case kSet: {
            const auto wanted = SKEP_TRY(copy_in<BsdSegment>(a[2])).permissions;
            return done(sysv::change_segment(id, wanted.user, wanted.group, wanted.mode));
        }
        case kLock:  // memory is never paged out
        case kUnlock:
            SKEP_TRY(sysv::segment_state(id));
            return 0;
        case kStat:
        case kStatBySlot: {
            if (command == kStatBySlot)
                id = SKEP_TRY(sysv::segment_at(id));
            const sysv::SegmentState s = SKEP_TRY(sysv::segment_state(id));
            SKEP_TRY(
                copy_out(a[2], BsdSegment{shown(s.permissions), s.size, s.last, s.creator,
                                          s.attached, 0, s.attached_at, s.detached_at, s.changed}));
            return command == kStat ? 0 : static_cast<std::uint64_t>(id);
        }
        default:
            return fail(Errno::Inval);
    }
}

constexpr std::string_view kStatOnly = "IPC_STAT, IPC_SET, IPC_RMID and the semaphores' values";

constexpr Syscall kCalls[] = {
    {221, "semget", 3, semget},
    {222, "semop", 3, semop},
    {225, "msgget", 2, msgget},
    {226, "msgsnd", 4, msgsnd},
    {227, "msgrcv", 5, msgrcv},
    {228, "shmat", 3, shmat, SyscallStatus::Partial, "no SHM_REMAP"},
    {230, "shmdt", 1, shmdt},
    {231, "shmget", 3, shmget},
    {510, "__semctl", 4, semctl, SyscallStatus::Partial, kStatOnly},
    {511, "msgctl", 3, msgctl, SyscallStatus::Partial, kStatOnly},
    {512, "shmctl", 3, shmctl, SyscallStatus::Partial,
     "no IPC_INFO, SHM_INFO; mappings that a program has split count more than once"},
};

}  // namespace

const std::span<const Syscall> sysv_calls = kCalls;

}  // namespace skep::kernel::freebsd_abi
