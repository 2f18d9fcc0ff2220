// FreeBSD's ways to wait: kqueue, poll, select.
#include <kernel/abi/arguments.hpp>
#include <kernel/abi/freebsd/clock.hpp>
#include <kernel/abi/freebsd/kevent_types.hpp>
#include <kernel/abi/freebsd/signal_types.hpp>
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/abi/poll.hpp>
#include <kernel/abi/time.hpp>
#include <kernel/event/eventfd.hpp>
#include <kernel/event/kevent_buffer.hpp>
#include <kernel/event/kqueue.hpp>
#include <kernel/event/timerfd.hpp>
#include <kernel/proc/signal.hpp>

#include <algorithm>
#include <array>

namespace skep::kernel::freebsd_abi {

namespace {

using namespace abi;

// --- kqueue ---

Returns kqueuex(Arguments a) {
    constexpr std::uint64_t kCloseOnExec = 1;
    if (a[0] & ~kCloseOnExec)
        return fail(Errno::Inval);
    Ref<Kqueue> queue = SKEP_TRY(Kqueue::create(KqueueView::Kqueue));
    return add_descriptor(std::move(queue), a[0] & kCloseOnExec);
}
Returns kqueue(Arguments) {
    constexpr std::uint64_t kNoFlags = 0;
    return kqueuex(&kNoFlags);
}

struct NewLayout {
    using Type = Kevent;
    static Kevent from(const Kevent& e) { return e; }
    static Kevent to(const Kevent& e) { return e; }
};
struct OldLayout {
    using Type = OldKevent;
    static Kevent from(const OldKevent& e) { return from_old(e); }
    static OldKevent to(const Kevent& e) { return to_old(e); }
};

bool names_descriptor(std::int16_t filter) {
    return filter == kFilterRead || filter == kFilterWrite || filter == kFilterVnode;
}

Result<> apply_change(Kqueue& queue, Kevent change) {
    change.flags &= static_cast<std::uint16_t>(~kEventSystemFlags);
    if (change.filter >= 0 || change.filter < kFilterEmpty)
        return fail(Errno::Inval);
    Ref<File> file;
    if (names_descriptor(change.filter))
        file = SKEP_TRY(current_descriptors().get(static_cast<std::uint32_t>(change.ident)));
    return queue.apply(change, file, &current_descriptors());
}

// 0: look only once.
Result<Nanoseconds> timeout_argument(UserAddr at) {
    if (!at)
        return kForever;
    const Nanoseconds time = SKEP_TRY(copy_in_timespec(at));
    return time ? deadline_after(time) : 0;
}

template <typename Layout>
Returns do_kevent(Arguments a) {
    using Item = typename Layout::Type;
    const Ref<File> file = SKEP_TRY(file_argument(a[0]));
    if (!file->kqueue() || file->kqueue()->view() != KqueueView::Kqueue)
        return fail(Errno::BadF);
    Kqueue& queue = *file->kqueue();
    const auto changes = static_cast<std::int32_t>(a[2]),
               capacity = static_cast<std::int32_t>(a[4]);
    if (changes < 0 || capacity < 0)
        return fail(Errno::Inval);
    const Nanoseconds deadline = SKEP_TRY(timeout_argument(a[5]));
    std::int32_t told = 0;
    for (std::int32_t i = 0; i < changes; i++) {
        Kevent change = Layout::from(
            SKEP_TRY(copy_in<Item>(a[1] + static_cast<std::uint64_t>(i) * sizeof(Item))));
        const Result<> applied = apply_change(queue, change);
        if (applied && !(change.flags & kEventReceipt))
            continue;
        if (told == capacity) {
            SKEP_TRY(applied);
            continue;
        }
        change.flags = kEventError;
        change.data = applied ? 0 : static_cast<std::int64_t>(applied.error());
        SKEP_TRY(
            copy_out(a[3] + static_cast<std::uint64_t>(told) * sizeof(Item), Layout::to(change)));
        told++;
    }
    if (told || capacity == 0)
        return static_cast<std::uint64_t>(told);
    KeventBuffer buffer;
    const std::span<Kevent> events = SKEP_TRY(buffer.take(static_cast<std::size_t>(capacity)));
    const std::size_t found = SKEP_TRY(queue.wait(events, deadline));
    for (std::size_t i = 0; i < found; i++)
        SKEP_TRY(copy_out(a[3] + i * sizeof(Item), Layout::to(events[i])));
    return found;
}

// --- poll ---

enum : std::uint32_t {  // sys/poll.h
    kPollIn = 1,
    kPollPri = 2,
    kPollOut = 4,
    kPollErr = 8,
    kPollHup = 0x10,
    kPollRdNorm = 0x40,
    kPollRdBand = 0x80,
    kPollWrBand = 0x100,
    kPollRdHup = 0x4000,
};

Events to_events(std::uint32_t poll) {
    Events events = 0;
    if (poll & (kPollIn | kPollRdNorm))
        events |= kReadable;
    if (poll & kPollOut)
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
        poll |= asked & kPollOut;
    if (events & kPriority)
        poll |= asked & (kPollPri | kPollRdBand);
    if (events & kReadHangup)
        poll |= asked & kPollRdHup;
    if (events & kError)
        poll |= kPollErr;
    if (events & kHangup)
        poll = (poll & ~kPollOut) | kPollHup;
    return poll;
}

constexpr PollBits kPollBits{to_events, to_poll};

Returns poll(Arguments a) {
    constexpr std::int64_t kMillisecond = 1'000'000;
    const auto timeout = static_cast<std::int32_t>(a[2]);
    const Nanoseconds deadline =
        timeout < 0    ? kForever
        : timeout == 0 ? 0
                       : deadline_after(static_cast<Nanoseconds>(timeout * kMillisecond));
    return poll_descriptors(a[0], static_cast<std::uint32_t>(a[1]), deadline, kPollBits);
}

Result<> use_signal_mask(UserAddr at) {
    if (at)
        set_temporary_mask(from_bsd_set(SKEP_TRY(copy_in<BsdSignalSet>(at))));
    return {};
}

Returns ppoll(Arguments a) {
    const Nanoseconds deadline = SKEP_TRY(timeout_argument(a[2]));
    SKEP_TRY(use_signal_mask(a[3]));
    return poll_descriptors(a[0], static_cast<std::uint32_t>(a[1]), deadline, kPollBits);
}

// --- select ---

Returns do_select(Arguments a, Nanoseconds deadline) {
    if (static_cast<std::int32_t>(a[0]) < 0)
        return fail(Errno::Inval);
    // Descriptors that cannot be open are not looked at.
    constexpr std::uint32_t kLeast = 1024;
    const std::uint32_t count =
        std::min(static_cast<std::uint32_t>(a[0]), std::max(current_descriptor_limit(), kLeast));
    return select_descriptors(count, {a[1], a[2], a[3]}, deadline);
}

Returns select(Arguments a) {
    Nanoseconds deadline = kForever;
    if (a[4]) {
        const Nanoseconds time = SKEP_TRY(copy_in_timeval(a[4]));
        deadline = time ? deadline_after(time) : 0;
    }
    return do_select(a, deadline);
}

Returns pselect(Arguments a) {
    const Nanoseconds deadline = SKEP_TRY(timeout_argument(a[4]));
    SKEP_TRY(use_signal_mask(a[5]));
    return do_select(a, deadline);
}

// --- eventfd and timerfd: sys/eventfd.h, sys/specialfd.h, sys/timerfd.h ---

constexpr std::uint32_t kNonblock = 4, kCloseOnExecFlag = 0x10'0000;

Returns specialfd(Arguments a) {
    constexpr std::uint64_t kEventFd = 1;
    constexpr std::uint32_t kSemaphore = 1;
    struct Request {
        std::uint32_t initial, flags;
    };
    if (a[0] != kEventFd || a[2] != sizeof(Request))
        return fail(Errno::Inval);
    const auto request = SKEP_TRY(copy_in<Request>(a[1]));
    if (request.flags & ~(kSemaphore | kNonblock | kCloseOnExecFlag))
        return fail(Errno::Inval);
    Ref<EventFd> file =
        SKEP_TRY(make_ref<EventFd>(request.initial, (request.flags & kSemaphore) != 0,
                                   request.flags & kNonblock ? kOpenNonblock : 0));
    return add_descriptor(std::move(file), request.flags & kCloseOnExecFlag);
}

Returns timerfd_create(Arguments a) {
    const auto clock = static_cast<Clock>(static_cast<std::int32_t>(a[0]));
    const auto flags = static_cast<std::uint32_t>(a[1]);
    if ((clock != Clock::Realtime && clock != Clock::Monotonic && clock != Clock::Uptime) ||
        flags & ~(kNonblock | kCloseOnExecFlag))
        return fail(Errno::Inval);
    Ref<TimerFd> file = SKEP_TRY(
        make_ref<TimerFd>(clock == Clock::Realtime, flags & kNonblock ? kOpenNonblock : 0));
    return add_descriptor(std::move(file), flags & kCloseOnExecFlag);
}

struct TimerSpec {  // struct itimerspec
    Timespec interval, value;
};
static_assert(sizeof(TimerSpec) == 32);

Result<Ref<File>> timerfd_argument(std::uint64_t descriptor) {
    Ref<File> file = SKEP_TRY(file_argument(descriptor));
    if (!file->timerfd())
        return fail(Errno::Inval);
    return file;
}

Result<> put_setting(UserAddr to, const TimerFd::Setting& setting) {
    return copy_out(to, TimerSpec{to_timespec(setting.period), to_timespec(setting.first)});
}

Returns timerfd_gettime(Arguments a) {
    const Ref<File> file = SKEP_TRY(timerfd_argument(a[0]));
    SKEP_TRY(put_setting(a[1], file->timerfd()->get()));
    return 0;
}

Returns timerfd_settime(Arguments a) {
    constexpr std::uint64_t kAbsolute = 1;
    if (a[1] & ~kAbsolute)
        return fail(Errno::Inval);
    const Ref<File> file = SKEP_TRY(timerfd_argument(a[0]));
    TimerFd::Setting wanted, old;
    wanted.period = static_cast<std::int64_t>(SKEP_TRY(copy_in_timespec(a[2])));
    wanted.first = static_cast<std::int64_t>(SKEP_TRY(copy_in_timespec(a[2] + sizeof(Timespec))));
    file->timerfd()->set(wanted, a[1] & kAbsolute, &old);
    if (a[3])
        SKEP_TRY(put_setting(a[3], old));
    return 0;
}

constexpr std::string_view kFilters = "filters READ, WRITE, VNODE, PROC, SIGNAL, TIMER, USER";

constexpr Syscall kCalls[] = {
    {93, "select", 5, select},
    {209, "poll", 3, poll},
    {362, "kqueue", 0, kqueue},
    {363, "freebsd11_kevent", 6, do_kevent<OldLayout>, SyscallStatus::Partial, kFilters},
    {522, "pselect", 6, pselect},
    {545, "ppoll", 4, ppoll},
    {560, "kevent", 6, do_kevent<NewLayout>, SyscallStatus::Partial, kFilters},
    {577, "__specialfd", 3, specialfd},
    {583, "kqueuex", 1, kqueuex},
    {585, "timerfd_create", 2, timerfd_create},
    {586, "timerfd_gettime", 2, timerfd_gettime},
    {587, "timerfd_settime", 4, timerfd_settime},
};

}  // namespace

const std::span<const Syscall> event_calls = kCalls;

}  // namespace skep::kernel::freebsd_abi
