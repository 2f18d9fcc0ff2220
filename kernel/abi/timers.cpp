#include <kernel/abi/timers.hpp>

#include <kernel/proc/process.hpp>

namespace skep::kernel::abi {

namespace {

PosixTimers& timers() {
    return current_process().posix_timers;
}

Result<> put_setting(UserAddr to, const PosixTimer::Setting& setting) {
    return copy_out(to, TimerSpec{to_timespec(static_cast<std::int64_t>(setting.period)),
                                  to_timespec(static_cast<std::int64_t>(setting.left))});
}

}  // namespace

Result<std::uint64_t> create_timer(std::uint64_t clock, const TimerNotice& notice, UserAddr told) {
    const std::int32_t number = SKEP_TRY(timers().create(clock, notice));
    if (const auto stored = copy_out(told, number); !stored) {
        (void)timers().remove(number);
        return fail(stored.error());
    }
    return 0;
}

Result<std::uint64_t> delete_timer(std::uint64_t number) {
    SKEP_TRY(timers().remove(static_cast<std::int32_t>(number)));
    return 0;
}

Result<std::uint64_t> set_timer(std::uint64_t number, std::uint64_t flags, UserAddr setting,
                                UserAddr old, DeadlineOf deadline_of) {
    constexpr std::uint64_t kAbsolute = 1;  // TIMER_ABSTIME
    const Nanoseconds period = SKEP_TRY(copy_in_timespec(setting)),
                      first = SKEP_TRY(copy_in_timespec(setting + sizeof(Timespec)));
    const auto before = SKEP_TRY(timers().with(
        static_cast<std::int32_t>(number), [&](PosixTimer& timer) -> Result<PosixTimer::Setting> {
            Nanoseconds deadline = 0;
            if (first)
                deadline = flags & kAbsolute ? SKEP_TRY(deadline_of(timer.clock(), first))
                                             : deadline_after(first);
            const PosixTimer::Setting was = timer.get();
            timer.set(deadline, period);
            return was;
        }));
    if (old)
        SKEP_TRY(put_setting(old, before));
    return 0;
}

Result<std::uint64_t> get_timer(std::uint64_t number, UserAddr setting) {
    const auto now = SKEP_TRY(timers().with(
        static_cast<std::int32_t>(number),
        [](PosixTimer& timer) -> Result<PosixTimer::Setting> { return timer.get(); }));
    SKEP_TRY(put_setting(setting, now));
    return 0;
}

Result<std::uint64_t> timer_overruns(std::uint64_t number) {
    return SKEP_TRY(timers().overruns(static_cast<std::int32_t>(number)));
}

}  // namespace skep::kernel::abi
