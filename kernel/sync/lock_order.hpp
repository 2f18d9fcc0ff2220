// The order in which locks are taken, written once: whoever holds a lock takes only such as stand
// below it in its list; and whoever holds a spin lock takes no sleep lock. A lock is named by its
// place here, so that one without a place does not compile. Test builds check it at every
// acquisition (held_locks.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace skep::kernel {

struct LockKind {
    std::string_view name;
    bool several = false;  // a thread may hold more than one of it; the comment says in which order
};

// A program's memory may be touched under those above "VmMap": that takes it, and what stands below
// it brings pages in.
inline constexpr LockKind kSleepLocks[] = {
    {"unix collector"},
    {"VnodeFile position"},
    {"TmpfsVnode write"},
    {"Pipe readers"},
    {"Pipe writers"},
    {"UnixSocket receive"},
    {"UnixSocket bind"},
    {"tcp read"},
    {"ProcFile"},
    {"vmm guests"},
    {"vm"},
    {"vcpu"},
    {"devices"},
    {"Tmpfs namespace"},
    {"memory files"},
    {"boot_id"},
    {"epoll nesting"},
    {"Kqueue changes"},
    {"Tty"},
    {"TimerFd set"},
    {"Process alarm"},
    {"Process timers"},
    {"VmMap"},
    {"guest memory"},
    {"TmpfsPages"},
    {"AnonymousObject"},
    {"network stack"},
};

inline constexpr LockKind kSpinLocks[] = {
    {"nanosleep"},
    {"sleep_until"},
    {"signal_suspend"},
    {"process tree"},
    {"Process"},
    {"futex"},
    {"FsContext"},
    {"DescriptorTable"},
    {"RecordLocks"},
    {"MountTable"},
    {"Procfs"},
    {"Tmpfs root"},
    {"Vnode"},
    {"TmpfsVnode attributes"},
    {"unix sockets"},
    {"SysV queues"},
    {"SysV semaphores"},
    {"SysV memory"},
    {"Pipe"},
    {"ttys"},
    {"Tty state"},
    {"pty numbers"},
    {"Pty"},
    {"EventFd"},
    {"SignalFd"},
    {"TimerFd"},
    {"PosixTimer"},
    {"CpuAlarm"},
    {"socket"},
    {"network work"},
    {"vcpu wake"},
    {"KnoteList"},
    {"EventSource", true},  // from what happened to the kqueues that watch, and on to those that
                            // watch these; no cycles
    {"EventQueue", true},   // two to move a knote: the one at the lower address first
    {"poll"},
    {"host name"},
    {"domain name"},
    {"kernel map"},
    {"interrupts"},
    {"pci configuration"},
    {"Uart16550"},
    {"keyboard"},
    {"WaitQueue"},
    {"mutex waiters"},
    {"RunQueue"},
    {"TimerQueue"},
    {"SlabCache"},
    {"Buddy"},
    {"random"},
    {"log"},
    {"screen"},
};

// A place in one of the lists.
template <const auto& kOrder>
class LockName {
  public:
    consteval LockName(const char* name) {
        for (std::size_t i = 0; i < std::size(kOrder); i++)
            if (kOrder[i].name == name) {
                place_ = static_cast<std::uint8_t>(i);
                return;
            }
        this_lock_has_no_place_in_the_order();
    }
    static constexpr LockName at(std::uint8_t place) { return LockName(place); }
    constexpr std::uint8_t place() const { return place_; }
    constexpr const LockKind& kind() const { return kOrder[place_]; }
    constexpr std::string_view view() const { return kOrder[place_].name; }

  private:
    constexpr explicit LockName(std::uint8_t place) : place_(place) {}
    static void
    this_lock_has_no_place_in_the_order();  // not constant: the compiler's message names it
    std::uint8_t place_ = 0;
};
using SleepLockName = LockName<kSleepLocks>;
using SpinLockName = LockName<kSpinLocks>;

}  // namespace skep::kernel
