// The lock around lwIP and the thread that drives it.
//
// lwIP is compiled without threads of its own: whoever calls it holds a StackGuard. Its callbacks
// therefore run with the lock held, on the thread of the stack or of a socket call. The lock is a
// sleep lock: user memory is copied outside it all the same, so that one slow pager does not stop
// the network. Lock order: a socket's own mutex, then this, then spin locks.
#pragma once

#include <kernel/sync/wait.hpp>

namespace skep::kernel {

// Once, at boot, before the first NIC is added. Starts the thread, the loopback interface and the
// socket families.
void initialize_network();

class [[nodiscard]] StackGuard {
  public:
    StackGuard();
    ~StackGuard();
    StackGuard(const StackGuard&) = delete;
    StackGuard& operator=(const StackGuard&) = delete;
    // What was sent through the loopback interface is delivered, and the devices are told of what
    // was queued, before the lock is given up.
    void unlock();
    void relock();

  private:
    bool held_ = true;
};

}  // namespace skep::kernel
