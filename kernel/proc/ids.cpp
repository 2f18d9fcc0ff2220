// Process and thread numbers, and what they name.
#include <kernel/mm/kernel_map.hpp>
#include <kernel/proc/ids.hpp>

#include <algorithm>
#include <array>
#include <new>

namespace skep::kernel {

SpinLock process_lock("process tree");
List<Process, AllTag> all_processes;
Process* init_process;

namespace {

constexpr std::int32_t kMaxId = 99999, kWrapTo = 300;
constexpr unsigned kBuckets = 1024;
constexpr std::uint64_t kMaxIds = 32768;

// Threads may take a quarter of the memory with their kernel stacks.
std::uint64_t id_limit() {
    constexpr std::uint64_t kFramesEach = kKernelStackSize / kPageSize + 1;
    return std::min(kMaxIds, memory_use().total_frames / 4 / kFramesEach);
}

struct Id : ListNode<> {
    std::int32_t number;
    IdOwner owner;
};

// Under process_lock.
std::array<List<Id>, kBuckets> buckets;
List<ProcessGroup> groups;
std::int32_t last_id;
unsigned id_count;

Id* find_id(std::int32_t number) {
    if (number <= 0)
        return nullptr;
    for (Id& id : buckets[static_cast<unsigned>(number) % kBuckets])
        if (id.number == number)
            return &id;
    return nullptr;
}

// As owners of FreeBSD's mutexes these say that one died (UMUTEX_RB_OWNERDEAD, _NOTRECOV); there,
// threads' numbers are all larger.
bool has_other_meaning(std::int32_t number) {
    return number == 16 || number == 17;
}

// A number is free if it names neither process, thread, group nor session.
bool is_free(std::int32_t number) {
    if (has_other_meaning(number) || find_id(number) || find_group(number))
        return false;
    for (ProcessGroup& g : groups)
        if (g.session->id == number)
            return false;
    return true;
}

Result<Ref<ProcessGroup>> make_group(ProcessId leader, Ref<Session> session) {
    auto* group = new (std::nothrow) ProcessGroup(leader, std::move(session));
    if (!group)
        return fail(Errno::NoMem);
    return Ref<ProcessGroup>::adopt(group);
}

void join_group(Process& process, Ref<ProcessGroup> group) {
    if (group->members.empty())
        groups.push_back(*group);
    group->members.push_back(process);
    process.group = std::move(group);
}

}  // namespace

Result<std::int32_t> allocate_id() {
    auto* id = new (std::nothrow) Id;
    if (!id)
        return fail(Errno::NoMem);
    SpinGuard guard(process_lock);
    if (id_count >= id_limit()) {
        guard.unlock();
        delete id;
        return fail(Errno::Again);
    }
    id_count++;
    do
        last_id = last_id >= kMaxId ? kWrapTo : last_id + 1;
    while (!is_free(last_id));
    id->number = last_id;
    buckets[static_cast<unsigned>(last_id) % kBuckets].push_back(*id);
    return id->number;
}

std::int32_t newest_id() {
    const SpinGuard guard(process_lock);
    return last_id;
}

void free_id(std::int32_t number) {
    SpinGuard guard(process_lock);
    Id* id = find_id(number);
    if (!id)
        return;
    List<Id>::remove(*id);
    id_count--;
    guard.unlock();
    delete id;
}

Process* find_process(ProcessId number) {
    const Id* id = find_id(number);
    return id && id->owner.process && id->owner.process->id == number ? id->owner.process : nullptr;
}

Thread* find_thread(std::int32_t number) {
    const Id* id = find_id(number);
    return id ? id->owner.thread : nullptr;
}

void set_id_thread(std::int32_t number, Thread* thread) {
    if (Id* id = find_id(number))
        id->owner.thread = thread;
}

void set_id_owner(std::int32_t number, IdOwner owner) {
    if (Id* id = find_id(number))
        id->owner = owner;
}

ProcessGroup* find_group(ProcessId number) {
    for (ProcessGroup& g : groups)
        if (g.id == number)
            return &g;
    return nullptr;
}

void leave_group(Process& process) {
    if (!process.group)
        return;
    List<Process, GroupTag>::remove(process);
    if (process.group->members.empty())
        List<ProcessGroup>::remove(*process.group);
    process.group = nullptr;
}

void found_group(Process& process, Ref<ProcessGroup> group) {
    join_group(process, std::move(group));
}

void join_group_of(Process& process, Process& other) {
    other.group->members.push_back(process);
    process.group = other.group;
}

Result<ProcessId> create_session() {
    Process& me = current_process();
    auto* session = new (std::nothrow) Session(me.id);
    if (!session)
        return fail(Errno::NoMem);
    auto group = make_group(me.id, Ref<Session>::adopt(session));
    if (!group)
        return fail(group.error());
    const SpinGuard guard(process_lock);
    if (find_group(me.id))
        return fail(Errno::Perm);
    std::ranges::copy(me.group->session->login, session->login);
    leave_group(me);
    join_group(me, std::move(*group));
    return me.id;
}

Result<> set_process_group(ProcessId process, ProcessId wanted) {
    Process& me = current_process();
    if (wanted < 0)
        return fail(Errno::Inval);
    if (process == 0)
        process = me.id;
    if (wanted == 0)
        wanted = process;
    // Made before the lock is taken; dropped if it is not needed. The caller's parent may move it
    // at any time.
    Ref<Session> session;
    {
        const SpinGuard guard(process_lock);
        session = me.group->session;
    }
    auto fresh = make_group(wanted, session);
    if (!fresh)
        return fail(fresh.error());
    const SpinGuard guard(process_lock);
    if (me.group->session != session)
        return fail(Errno::Perm);
    Process* target = find_process(process);
    if (!target || (target != &me && target->parent != &me))
        return fail(Errno::Srch);
    if (target != &me && target->executed)
        return fail(Errno::Acces);
    if (target->group->session != me.group->session || target->group->session->id == target->id)
        return fail(Errno::Perm);
    if (target->group->id == wanted)
        return {};
    Ref<ProcessGroup> group;
    if (wanted == process && !find_group(wanted)) {
        group = std::move(*fresh);
    } else {
        group = Ref<ProcessGroup>(find_group(wanted));
        if (!group || group->session != me.group->session)
            return fail(Errno::Perm);
    }
    leave_group(*target);
    join_group(*target, std::move(group));
    return {};
}

}  // namespace skep::kernel
