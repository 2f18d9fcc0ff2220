#include <kernel/net/stack.hpp>

#include <kernel/base/log.hpp>
#include <kernel/net/inet_socket.hpp>
#include <kernel/net/interface.hpp>
#include <kernel/net/nic.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/sched/thread.hpp>

#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/timeouts.h>

namespace skep::kernel {

namespace {

constexpr Nanoseconds kMillisecond = 1'000'000;

Mutex stack_lock{"network stack"};
// When the thread wakes by itself; protected by stack_lock.
Nanoseconds thread_deadline = kForever;

SpinLock work_lock{"network work"};
bool work_pending = false;
WaitQueue work;

Nanoseconds next_timeout() {
    const std::uint32_t milliseconds = sys_timeouts_sleeptime();
    return milliseconds == SYS_TIMEOUTS_SLEEPTIME_INFINITE
               ? kForever
               : monotonic_now() + milliseconds * kMillisecond;
}

void wait_for_work(Nanoseconds deadline) {
    SpinGuard guard(work_lock);
    while (!work_pending) {
        if (!work.wait(guard, Sleep::Uninterruptible, deadline))
            break;
    }
    work_pending = false;
}

[[noreturn]] void run(void*) {
    for (;;) {
        bool more;
        Nanoseconds deadline;
        {
            const StackGuard guard;
            more = poll_interfaces();
            sys_check_timeouts();
            thread_deadline = deadline = next_timeout();
        }
        if (!more)
            wait_for_work(deadline);
    }
}

// Before the lock is given up.
void finish_turn() {
    netif_poll_all();
    flush_interfaces();
    const Nanoseconds next = next_timeout();
    if (next == kForever || thread_deadline <= next + kMillisecond)
        return;
    thread_deadline = next;
    Nic::wake();
}

}  // namespace

void Nic::wake() {
    {
        const SpinGuard guard(work_lock);
        work_pending = true;
    }
    work.wake_all();
}

StackGuard::StackGuard() {
    stack_lock.lock();
}

StackGuard::~StackGuard() {
    if (held_)
        unlock();
}

void StackGuard::unlock() {
    finish_turn();
    held_ = false;
    stack_lock.unlock();
}

void StackGuard::relock() {
    stack_lock.lock();
    held_ = true;
}

void initialize_network() {
    {
        const StackGuard guard;
        lwip_init();
    }
    register_inet_sockets();
    if (!start_kernel_thread("network", run, nullptr))
        log("net: no memory for the network thread; no network");
}

}  // namespace skep::kernel
