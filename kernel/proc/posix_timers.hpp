// timer_create(2): timers of a process, known by number, each of which sends a signal.
#pragma once

#include <kernel/base/make.hpp>
#include <kernel/base/vector.hpp>
#include <kernel/proc/signal_state.hpp>
#include <kernel/sched/clock.hpp>

#include <array>
#include <atomic>

namespace skep::kernel {

class Process;

struct TimerNotice {
    enum class How : std::uint8_t {
        Nothing,
        ToProcess,
        ToThread
    } how = How::ToProcess;
    Signal signal = Signal::Alrm;
    std::int32_t thread = 0;
    std::uint64_t value = 0;
    bool value_is_number = false;  // the timer's, which is not known before
};

class PosixTimer {
  public:
    struct Setting {
        Nanoseconds left = 0, period = 0;  // 0: off; once
    };
    PosixTimer(Process& owner, std::uint64_t clock, const TimerNotice& notice, std::int32_t number);
    ~PosixTimer() { timer_.cancel(); }
    // `deadline`: of the monotonic clock; 0: off.
    void set(Nanoseconds deadline, Nanoseconds period);
    Setting get();
    std::uint64_t clock() const { return clock_; }

  private:
    static void fired(Timer&, void*);
    void expire(std::uint32_t extra);

    Process& owner_;
    const std::uint64_t clock_;
    const TimerNotice notice_;
    const std::int32_t number_;
    SpinLock lock_{"PosixTimer"};
    Nanoseconds deadline_ = 0, period_ = 0;
    Timer timer_{fired, this};
};

// Of one process. A child has none; exec removes them.
class PosixTimers {
  public:
    explicit PosixTimers(Process& owner) : owner_(owner) {}
    // -> its number. Again: there are as many as may be; Inval: no such thread in the process.
    Result<std::int32_t> create(std::uint64_t clock, const TimerNotice&);
    Result<> remove(std::int32_t number);
    void clear();
    // How often it came, beside the once, before its last signal was taken.
    Result<std::uint32_t> overruns(std::int32_t number);
    // A timer's signal is taken. With Process::lock held.
    void delivered(const SignalInfo&);
    // Calls f(PosixTimer&) -> Result<T>. Inval: no such timer.
    template <typename F>
    auto with(std::int32_t number, F f) -> decltype(f(std::declval<PosixTimer&>())) {
        const MutexGuard guard(lock_);
        PosixTimer* timer = find(number);
        if (!timer)
            return fail(Errno::Inval);
        return f(*timer);
    }

  private:
    static constexpr std::size_t kMost = 32;
    static constexpr std::int32_t kFirst = 3;  // below are setitimer(2)'s
    PosixTimer* find(std::int32_t number);
    Process& owner_;
    Mutex lock_{"Process timers"};
    Vector<Owned<PosixTimer>> timers_;  // by number; empty ones are free
    // By number too: of signals, which may outlive their timers.
    std::array<std::atomic<std::uint32_t>, kMost> overruns_{};
};

}  // namespace skep::kernel
