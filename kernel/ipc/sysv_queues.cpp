#include <kernel/ipc/sysv_queues.hpp>

#include <kernel/sched/clock.hpp>
#include <kernel/vfs/current.hpp>

#include <algorithm>

namespace skep::kernel::sysv {

namespace {

SpinLock lock("SysV queues");
Table table;

std::int64_t now() {
    return realtime_now() / 1'000'000'000;
}

MessageQueue& as_queue(Object& object) {
    return static_cast<MessageQueue&>(object);
}

// The message that a receiver of `type` gets; null: none yet.
QueuedMessage* choose(MessageQueue& queue, std::int64_t type) {
    QueuedMessage* best = nullptr;
    for (QueuedMessage& m : queue.messages) {
        if (type == 0 || m.type == type)
            return &m;
        if (type < 0 && m.type <= -type && (!best || m.type < best->type))
            best = &m;
    }
    return best;
}

}  // namespace

MessageQueue::~MessageQueue() {
    while (QueuedMessage* m = messages.pop_front())
        delete m;
}

Result<std::int32_t> get_queue(const GetHow& how) {
    Ref<Object> fresh = SKEP_TRY(make_ref<MessageQueue>());
    const Caller caller = current_caller();
    const SpinGuard guard(lock);
    std::int32_t id = 0;
    if (SKEP_TRY(table.look_up(how, caller, id)))
        return id;
    as_queue(*fresh).changed = now();
    return table.add(std::move(fresh), how, caller);
}

Result<> send(std::int32_t id, Owned<QueuedMessage> message, bool no_wait) {
    const Caller caller = current_caller();
    const std::size_t size = message->bytes.size();
    if (message->type < 1 || size > kMessageMax)
        return fail(Errno::Inval);
    Ref<Object> held;
    SpinGuard guard(lock);
    held = SKEP_TRY(table.find(id));
    MessageQueue& queue = as_queue(*held);
    SKEP_TRY(queue.permissions.check(caller, kAccessWrite));
    while (queue.bytes + size > queue.capacity) {
        if (size > queue.capacity)
            return fail(Errno::Inval);
        if (no_wait)
            return fail(Errno::Again);
        SKEP_TRY(queue.left.wait(guard));
        if (queue.removed)
            return fail(Errno::IdRm);
    }
    queue.bytes += size;
    queue.count++;
    queue.sent = now();
    queue.last_sender = current_process_id();
    queue.messages.push_back(*message.leak());
    queue.arrived.wake_all();
    return {};
}

Result<Owned<QueuedMessage>> receive(std::int32_t id, std::int64_t type, std::size_t room, bool cut,
                                     bool no_wait) {
    const Caller caller = current_caller();
    Ref<Object> held;
    SpinGuard guard(lock);
    held = SKEP_TRY(table.find(id));
    MessageQueue& queue = as_queue(*held);
    SKEP_TRY(queue.permissions.check(caller, kAccessRead));
    QueuedMessage* message;
    while (!(message = choose(queue, type))) {
        if (no_wait)
            return fail(Errno::NoMsg);
        SKEP_TRY(queue.arrived.wait(guard));
        if (queue.removed)
            return fail(Errno::IdRm);
    }
    const std::size_t size = message->bytes.size();
    if (size > room && !cut)
        return fail(Errno::TooBig);
    List<QueuedMessage>::remove(*message);
    queue.bytes -= size;
    queue.count--;
    queue.received = now();
    queue.last_receiver = current_process_id();
    queue.left.wake_all();
    guard.unlock();
    Owned<QueuedMessage> taken(message);
    SKEP_TRY(taken->bytes.resize(std::min(size, room)));
    return taken;
}

Result<QueueState> queue_state(std::int32_t id) {
    const Caller caller = current_caller();
    const SpinGuard guard(lock);
    const Ref<Object> held = SKEP_TRY(table.find(id));
    const MessageQueue& q = as_queue(*held);
    SKEP_TRY(q.permissions.check(caller, kAccessRead));
    return QueueState{q.permissions,   q.bytes, q.count,    q.capacity, q.last_sender,
                      q.last_receiver, q.sent,  q.received, q.changed};
}

Result<> change_queue(std::int32_t id, const QueueChange& change) {
    const Caller caller = current_caller();
    const SpinGuard guard(lock);
    const Ref<Object> held = SKEP_TRY(table.find(id));
    MessageQueue& queue = as_queue(*held);
    SKEP_TRY(queue.permissions.check_owner(caller));
    if (change.capacity == 0)
        return fail(Errno::Inval);
    if (change.capacity > queue.capacity && !caller.superuser())
        return fail(Errno::Perm);
    queue.permissions.give(change.user, change.group, change.mode);
    queue.capacity = std::min(change.capacity, kQueueBytes);
    queue.changed = now();
    queue.left.wake_all();
    return {};
}

Result<> remove_queue(std::int32_t id) {
    const Caller caller = current_caller();
    Ref<Object> held;
    const SpinGuard guard(lock);
    held = SKEP_TRY(table.find(id));
    MessageQueue& queue = as_queue(*held);
    SKEP_TRY(queue.permissions.check_owner(caller));
    queue.removed = true;
    table.remove(id);
    queue.arrived.wake_all();
    queue.left.wake_all();
    return {};
}

}  // namespace skep::kernel::sysv
