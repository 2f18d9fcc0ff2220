// timerfd(2): a timer with a descriptor.
#pragma once

#include <kernel/base/make.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/vfs/file.hpp>

namespace skep::kernel {

class TimerFd final : public File {
  public:
    struct Setting {
        std::int64_t first = 0;   // nanoseconds; 0: off
        std::int64_t period = 0;  // 0: once
    };
    // `realtime`: absolute times are of the real-time clock, else of the monotonic one.
    TimerFd(bool realtime, std::uint32_t flags)
        : File(FileKind::Event, flags | kOpenRead), realtime_(realtime) {}
    ~TimerFd() override { timer_.cancel(); }

    void set(const Setting&, bool absolute, Setting* old);
    Setting get();
    Result<std::size_t> read(Uio&, std::uint64_t*) override;
    Result<std::size_t> write(Uio&, std::uint64_t*) override { return fail(Errno::Inval); }
    Events ready(Events interest) override;
    TimerFd* timerfd() override { return this; }
    const char* description() const override { return "anon_inode:[timerfd]"; }

  private:
    static void fired(Timer&, void*);
    Setting remaining() const;

    const bool realtime_;
    Mutex set_lock_{"TimerFd set"};  // one set() at a time
    SpinLock lock_{"TimerFd"};
    WaitQueue readers_;
    Nanoseconds deadline_ = 0, period_ = 0;  // 0: off; of the monotonic clock
    std::uint64_t expirations_ = 0;
    Timer timer_{fired, this};
};

}  // namespace skep::kernel
