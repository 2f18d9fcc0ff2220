// ITIMER_VIRTUAL and ITIMER_PROF: alarms that count the processor time of a process. Programs and
// kernel are not told apart, so that both count the same.
#pragma once

#include <kernel/proc/signal_state.hpp>
#include <kernel/sched/clock.hpp>

namespace skep::kernel {

class Process;

class CpuAlarm {
  public:
    struct Setting {
        Nanoseconds left = 0, interval = 0;  // 0: off; once
    };
    CpuAlarm(Process& owner, Signal signal) : owner_(owner), signal_(signal) {}
    // set() and cancel(): by one thread at a time.
    void set(const Setting&);
    Setting get();
    void cancel() { timer_.cancel(); }

  private:
    static void look(Timer&, void*);
    void arm(Nanoseconds used);

    Process& owner_;
    const Signal signal_;
    SpinLock lock_{"CpuAlarm"};
    Nanoseconds due_ = 0, interval_ = 0;  // `due_`: of the process's time; 0: off
    Timer timer_{look, this};
};

}  // namespace skep::kernel
