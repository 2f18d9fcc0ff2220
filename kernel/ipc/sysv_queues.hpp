// System V message queues: msgsnd(2), msgrcv(2).
#pragma once

#include <kernel/ipc/sysv.hpp>

namespace skep::kernel::sysv {

inline constexpr std::size_t kMessageMax = 16384;    // bytes of one (msgmax)
inline constexpr std::uint64_t kQueueBytes = 65536;  // of all in a queue at first (msgmnb)

struct QueuedMessage : ListNode<> {
    std::int64_t type = 0;
    Vector<std::byte> bytes;
};

class MessageQueue final : public Object {
  public:
    ~MessageQueue() override;
    List<QueuedMessage> messages;
    std::uint64_t bytes = 0, count = 0, capacity = kQueueBytes;
    std::int32_t last_sender = 0, last_receiver = 0;
    std::int64_t sent = 0, received = 0, changed = 0;  // seconds since 1970; 0: never
    WaitQueue arrived, left;
};

struct QueueState {
    Permissions permissions;
    std::uint64_t bytes, count, capacity;
    std::int32_t last_sender, last_receiver;
    std::int64_t sent, received, changed;
};

// As msgget, msgsnd, msgrcv, msgctl of the calling process. Errors: Inval (id), Acces, IdRm, Again
// (no_wait), Intr, and as said.
Result<std::int32_t> get_queue(const GetHow&);
Result<> send(std::int32_t id, Owned<QueuedMessage>, bool no_wait);
// `type`: 0 the first, > 0 the first of it, < 0 the lowest up to its negation. TooBig: longer than
// `room`, unless `cut`; NoMsg: none (no_wait).
Result<Owned<QueuedMessage>> receive(std::int32_t id, std::int64_t type, std::size_t room, bool cut,
                                     bool no_wait);
Result<QueueState> queue_state(std::int32_t id);
struct QueueChange {
    std::uint32_t user, group;
    std::uint16_t mode;
    std::uint64_t capacity;
};
Result<> change_queue(std::int32_t id, const QueueChange&);
Result<> remove_queue(std::int32_t id);

}  // namespace skep::kernel::sysv
