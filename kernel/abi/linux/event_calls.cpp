// Linux's ways to wait: poll, select, epoll, eventfd, timerfd, signalfd.
#include <kernel/abi/linux/arguments.hpp>
#include <kernel/abi/linux/signal_mask.hpp>
#include <kernel/abi/poll.hpp>
#include <kernel/abi/syscall.hpp>
#include <kernel/event/eventfd.hpp>
#include <kernel/event/kevent_buffer.hpp>
#include <kernel/event/kqueue.hpp>
#include <kernel/event/timerfd.hpp>
#include <kernel/sched/clock.hpp>

#include <algorithm>
#include <array>
#include <limits>

namespace skep::kernel::linux_abi {

namespace {

using Value = Result<std::uint64_t>;

struct EpollEvent {
    std::uint32_t events;
    std::uint64_t data;
} __attribute__((packed));
static_assert(sizeof(EpollEvent) == 12);

struct TimerSpec {
    Timespec interval, value;
};

// poll(2), epoll_ctl(2): alike up to 0x2000.
enum : std::uint32_t {
    kPollIn = 1,
    kPollPri = 2,
    kPollOut = 4,
    kPollErr = 8,
    kPollHup = 0x10,
    kPollRdNorm = 0x40,
    kPollRdBand = 0x80,
    kPollWrNorm = 0x100,
    kPollWrBand = 0x200,
    kPollRdHup = 0x2000,
    kEpollExclusive = 1u << 28,
    kEpollWakeUp = 1u << 29,
    kEpollOneshot = 1u << 30,
    kEpollEdge = 1u << 31,
};

Events to_events(std::uint32_t poll) {
    Events events = 0;
    if (poll & (kPollIn | kPollRdNorm))
        events |= kReadable;
    if (poll & (kPollOut | kPollWrNorm))
        events |= kWritable;
    if (poll & (kPollPri | kPollRdBand))
        events |= kPriority;
    if (poll & kPollRdHup)
        events |= kReadHangup;
    return events;
}

std::uint32_t to_poll(Events events, std::uint32_t asked) {
    std::uint32_t poll = 0;
    if (events & kReadable)
        poll |= asked & (kPollIn | kPollRdNorm);
    if (events & kWritable)
        poll |= asked & (kPollOut | kPollWrNorm);
    if (events & kPriority)
        poll |= asked & (kPollPri | kPollRdBand);
    if (events & kReadHangup)
        poll |= asked & kPollRdHup;
    if (events & kError)
        poll |= kPollErr;
    if (events & kHangup)
        poll |= kPollHup;
    return poll;
}

Nanoseconds deadline_after(std::int64_t nanoseconds) {
    if (nanoseconds == 0)
        return 0;
    const Nanoseconds now = monotonic_now();
    return static_cast<Nanoseconds>(nanoseconds) > kForever - 1 - now
               ? kForever - 1
               : now + static_cast<Nanoseconds>(nanoseconds);
}

Nanoseconds deadline_of_milliseconds(std::int32_t timeout) {
    return timeout < 0 ? kForever : deadline_after(std::int64_t{timeout} * 1'000'000);
}

Result<Nanoseconds> deadline_of_timespec(UserAddr from) {
    if (!from)
        return kForever;
    const auto spec = SKEP_TRY(copy_in<Timespec>(from));
    const std::int64_t time = SKEP_TRY(from_timespec(spec));
    if (time < 0)
        return fail(Errno::Inval);
    return deadline_after(time);
}

// --- poll ---

constexpr abi::PollBits kPollBits{to_events, to_poll};

Value poll(const std::uint64_t* a) {
    return abi::poll_descriptors(a[0], static_cast<std::uint32_t>(a[1]),
                                 deadline_of_milliseconds(static_cast<std::int32_t>(a[2])),
                                 kPollBits);
}

Value ppoll(const std::uint64_t* a) {
    const Nanoseconds deadline = SKEP_TRY(deadline_of_timespec(a[2]));
    SKEP_TRY(use_signal_mask(a[3], a[4]));
    return abi::poll_descriptors(a[0], static_cast<std::uint32_t>(a[1]), deadline, kPollBits);
}

// --- select ---

constexpr std::uint32_t kSelectMax = 1 << 16;

Value do_select(std::uint32_t count, const std::array<UserAddr, 3>& sets, Nanoseconds deadline) {
    if (count > kSelectMax)
        return fail(Errno::Inval);
    return abi::select_descriptors(count, sets, deadline);
}

Value select(const std::uint64_t* a) {
    if (static_cast<std::int32_t>(a[0]) < 0)
        return fail(Errno::Inval);
    Nanoseconds deadline = kForever;
    if (a[4]) {
        const auto timeout = SKEP_TRY(copy_in<Timeval>(a[4]));
        if (timeout.seconds < 0 || timeout.microseconds < 0)
            return fail(Errno::Inval);
        constexpr std::int64_t kMillion = 1'000'000,
                               kLongest = std::int64_t{1} << 40;  // seconds; the sum fits
        deadline = deadline_after(SKEP_TRY(
            from_timespec({std::min(timeout.seconds, kLongest) + timeout.microseconds / kMillion,
                           timeout.microseconds % kMillion * 1000})));
    }
    auto result = do_select(static_cast<std::uint32_t>(a[0]), {a[1], a[2], a[3]}, deadline);
    if (a[4] && result) {  // Linux tells the time that is left
        const Nanoseconds now = monotonic_now();
        const Nanoseconds left = deadline > now ? deadline - now : 0;
        SKEP_TRY(copy_out(a[4], Timeval{static_cast<std::int64_t>(left / 1'000'000'000),
                                        static_cast<std::int64_t>(left % 1'000'000'000 / 1000)}));
    }
    return result;
}

Value pselect6(const std::uint64_t* a) {
    if (static_cast<std::int32_t>(a[0]) < 0)
        return fail(Errno::Inval);
    const Nanoseconds deadline = SKEP_TRY(deadline_of_timespec(a[4]));
    if (a[5]) {
        struct MaskArgument {
            std::uint64_t address, size;
        };
        const auto mask = SKEP_TRY(copy_in<MaskArgument>(a[5]));
        SKEP_TRY(use_signal_mask(mask.address, mask.size));
    }
    return do_select(static_cast<std::uint32_t>(a[0]), {a[1], a[2], a[3]}, deadline);
}

// --- epoll ---

Value epoll_create1(const std::uint64_t* a) {
    if (a[0] & ~std::uint64_t{kOCloseOnExec})
        return fail(Errno::Inval);
    Ref<Kqueue> queue = SKEP_TRY(Kqueue::create(KqueueView::Epoll));
    return add_descriptor(std::move(queue), a[0] & kOCloseOnExec);
}

Value epoll_create(const std::uint64_t* a) {
    if (static_cast<std::int32_t>(a[0]) <= 0)
        return fail(Errno::Inval);
    const std::uint64_t flags = 0;
    return epoll_create1(&flags);
}

Result<Kqueue*> epoll_of(File& file) {
    Kqueue* queue = file.kqueue();
    if (!queue || queue->view() != KqueueView::Epoll)
        return fail(Errno::Inval);
    return queue;
}

Value epoll_ctl(const std::uint64_t* a) {
    constexpr std::uint64_t kAdd = 1, kDelete = 2, kModify = 3;
    const auto descriptor = static_cast<std::uint32_t>(a[2]);
    Ref<File> epoll_file = SKEP_TRY(file_argument(a[0])),
              file = SKEP_TRY(file_argument(descriptor));
    Kqueue& queue = *SKEP_TRY(epoll_of(*epoll_file));
    if (file->kind() == FileKind::Vnode)
        return fail(Errno::Perm);  // regular files and directories are always ready
    if (a[1] == kDelete) {
        SKEP_TRY(queue.epoll_remove(descriptor, file));
        return 0;
    }
    const auto event = SKEP_TRY(copy_in<EpollEvent>(a[3]));
    std::uint16_t flags = 0;
    if (event.events & kEpollEdge)
        flags |= kEventClear;
    if (event.events & kEpollOneshot)
        flags |= kEventDispatch;
    const Events interest = to_events(event.events);
    if (a[1] == kAdd)
        SKEP_TRY(queue.epoll_add(descriptor, file, interest, flags, event.data));
    else if (a[1] == kModify)
        SKEP_TRY(queue.epoll_modify(descriptor, file, interest, flags, event.data));
    else
        return fail(Errno::Inval);
    return 0;
}

Value do_epoll_wait(std::uint64_t descriptor, UserAddr to, std::uint64_t capacity,
                    Nanoseconds deadline) {
    constexpr std::int32_t kCapacityMax =
        std::numeric_limits<std::int32_t>::max() / sizeof(EpollEvent);
    if (static_cast<std::int32_t>(capacity) <= 0 ||
        static_cast<std::int32_t>(capacity) > kCapacityMax)
        return fail(Errno::Inval);
    Ref<File> file = SKEP_TRY(file_argument(descriptor));
    Kqueue& queue = *SKEP_TRY(epoll_of(*file));
    KeventBuffer buffer;
    const std::span<Kevent> events = SKEP_TRY(buffer.take(static_cast<std::uint32_t>(capacity)));
    const std::size_t found = SKEP_TRY(queue.wait(events, deadline));
    // All that a program may have asked for: what it did not ask for is not in the result either.
    constexpr std::uint32_t kShown = kPollIn | kPollOut | kPollPri | kPollRdHup;
    for (std::size_t i = 0; i < found; i++)
        SKEP_TRY(copy_out(to + i * sizeof(EpollEvent),
                          EpollEvent{to_poll(events[i].fflags, kShown), events[i].udata}));
    return found;
}

Value epoll_wait(const std::uint64_t* a) {
    return do_epoll_wait(a[0], a[1], a[2],
                         deadline_of_milliseconds(static_cast<std::int32_t>(a[3])));
}
Value epoll_pwait(const std::uint64_t* a) {
    SKEP_TRY(use_signal_mask(a[4], a[5]));
    return epoll_wait(a);
}
Value epoll_pwait2(const std::uint64_t* a) {
    const Nanoseconds deadline = SKEP_TRY(deadline_of_timespec(a[3]));
    SKEP_TRY(use_signal_mask(a[4], a[5]));
    return do_epoll_wait(a[0], a[1], a[2], deadline);
}

// --- eventfd, timerfd ---

Value eventfd2(const std::uint64_t* a) {
    constexpr std::uint64_t kSemaphore = 1;
    if (a[1] & ~std::uint64_t{kSemaphore | kOCloseOnExec | kONonblock})
        return fail(Errno::Inval);
    Ref<EventFd> file =
        SKEP_TRY(make_ref<EventFd>(static_cast<std::uint32_t>(a[0]), a[1] & kSemaphore,
                                   a[1] & kONonblock ? kOpenNonblock : 0));
    return add_descriptor(std::move(file), a[1] & kOCloseOnExec);
}
Value eventfd(const std::uint64_t* a) {
    const std::uint64_t arguments[] = {a[0], 0};
    return eventfd2(arguments);
}

Value timerfd_create(const std::uint64_t* a) {
    constexpr std::uint64_t kRealtime = 0, kMonotonic = 1, kBoottime = 7, kRealtimeAlarm = 8,
                            kBoottimeAlarm = 9;
    if (a[1] & ~std::uint64_t{kOCloseOnExec | kONonblock})
        return fail(Errno::Inval);
    if (a[0] != kRealtime && a[0] != kMonotonic && a[0] != kBoottime && a[0] != kRealtimeAlarm &&
        a[0] != kBoottimeAlarm)
        return fail(Errno::Inval);
    const bool realtime = a[0] == kRealtime || a[0] == kRealtimeAlarm;
    Ref<TimerFd> file =
        SKEP_TRY(make_ref<TimerFd>(realtime, a[1] & kONonblock ? kOpenNonblock : 0));
    return add_descriptor(std::move(file), a[1] & kOCloseOnExec);
}

Result<Ref<File>> timerfd_argument(std::uint64_t descriptor, TimerFd** timer) {
    Ref<File> file = SKEP_TRY(file_argument(descriptor));
    *timer = file->timerfd();
    if (!*timer)
        return fail(Errno::Inval);
    return file;
}

Result<> put_setting(UserAddr to, const TimerFd::Setting& setting) {
    return copy_out(to, TimerSpec{to_timespec(setting.period), to_timespec(setting.first)});
}

Value timerfd_settime(const std::uint64_t* a) {
    constexpr std::uint64_t kAbsolute = 1, kCancelOnSet = 2;
    if (a[1] & ~(kAbsolute | kCancelOnSet))
        return fail(Errno::Inval);
    TimerFd* timer;
    Ref<File> file = SKEP_TRY(timerfd_argument(a[0], &timer));
    const auto spec = SKEP_TRY(copy_in<TimerSpec>(a[2]));
    TimerFd::Setting wanted, old;
    wanted.first = SKEP_TRY(from_timespec(spec.value));
    wanted.period = SKEP_TRY(from_timespec(spec.interval));
    if (wanted.first < 0 || wanted.period < 0)
        return fail(Errno::Inval);
    timer->set(wanted, a[1] & kAbsolute, &old);
    if (a[3])
        SKEP_TRY(put_setting(a[3], old));
    return 0;
}

Value timerfd_gettime(const std::uint64_t* a) {
    TimerFd* timer;
    Ref<File> file = SKEP_TRY(timerfd_argument(a[0], &timer));
    SKEP_TRY(put_setting(a[1], timer->get()));
    return 0;
}

constexpr Syscall kTable[] = {
    {7, "poll", 3, poll},
    {23, "select", 5, select},
    {213, "epoll_create", 1, epoll_create},
    {232, "epoll_wait", 4, epoll_wait},
    {233, "epoll_ctl", 4, epoll_ctl, SyscallStatus::Partial,
     "EPOLLEXCLUSIVE and EPOLLWAKEUP have no effect"},
    {270, "pselect6", 6, pselect6, SyscallStatus::Partial, "does not tell the time left"},
    {271, "ppoll", 5, ppoll, SyscallStatus::Partial, "does not tell the time left"},
    {281, "epoll_pwait", 6, epoll_pwait},
    {283, "timerfd_create", 2, timerfd_create},
    {284, "eventfd", 1, eventfd},
    {286, "timerfd_settime", 4, timerfd_settime, SyscallStatus::Partial,
     "TFD_TIMER_CANCEL_ON_SET never cancels"},
    {287, "timerfd_gettime", 2, timerfd_gettime},
    {290, "eventfd2", 2, eventfd2},
    {291, "epoll_create1", 1, epoll_create1},
    {441, "epoll_pwait2", 6, epoll_pwait2},
};

}  // namespace

extern const std::span<const Syscall> event_calls;
const std::span<const Syscall> event_calls = kTable;

}  // namespace skep::kernel::linux_abi
