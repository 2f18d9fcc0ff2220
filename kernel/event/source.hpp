// Where readiness comes from. Each pollable object has one EventSource; poll, select, epoll and
// kqueue subscribe to it, and its owner calls notify() whenever it may have become readable,
// writable... Level semantics: a subscriber that hears of a change asks File::ready() for the
// truth.
#pragma once

#include <kernel/base/list.hpp>
#include <kernel/sync/spinlock.hpp>

namespace skep::kernel {

// A set of conditions (bits).
using Events = std::uint32_t;
inline constexpr Events kReadable = 1;
inline constexpr Events kWritable = 2;
inline constexpr Events kPriority = 4;  // out-of-band data
inline constexpr Events kError = 8;
inline constexpr Events kHangup = 16;      // both directions closed
inline constexpr Events kReadHangup = 32;  // the peer will send no more
// Of files (VNODE filter): the low ones shifted are FreeBSD's NOTE_* numbers.
inline constexpr unsigned kVnodeEventShift = 8;
inline constexpr Events kFileDeleted = 1 << kVnodeEventShift;
inline constexpr Events kFileWritten = 2 << kVnodeEventShift;
inline constexpr Events kFileExtended = 4 << kVnodeEventShift;
inline constexpr Events kFileAttributes = 8 << kVnodeEventShift;
inline constexpr Events kFileLinks = 16 << kVnodeEventShift;
inline constexpr Events kFileRenamed = 32 << kVnodeEventShift;
inline constexpr Events kFileRevoked = 64 << kVnodeEventShift;

class EventSubscriber : public ListNode<> {
  public:
    // With the source's lock held and perhaps in interrupt context: only queue and wake.
    virtual void on_events(Events events) = 0;

  protected:
    ~EventSubscriber() = default;
};

class EventSource {
  public:
    void subscribe(EventSubscriber& subscriber);
    void unsubscribe(EventSubscriber& subscriber);  // on_events does not run after it has returned
    void notify(Events events);

  private:
    SpinLock lock_{"EventSource"};
    List<EventSubscriber> subscribers_;
    std::atomic<std::uint32_t> count_{0};  // written under the lock
};

}  // namespace skep::kernel
