// What each filter listens to and reports.
#include <kernel/event/kqueue.hpp>

#include <kernel/vfs/vnode.hpp>

#include <algorithm>

namespace skep::kernel {

namespace {

constexpr Nanoseconds kSecond = 1'000'000'000;
constexpr Events kEndEvents = kHangup | kReadHangup | kError;
constexpr Events kVnodeEvents = 0xff << kVnodeEventShift;

Nanoseconds unit_of(std::uint32_t fflags) {
    switch (fflags & 15) {
        case kNoteSeconds:
            return kSecond;
        case kNoteMicroseconds:
            return 1000;
        case kNoteNanoseconds:
            return 1;
        default:
            return 1'000'000;
    }
}

Nanoseconds saturating_multiply(std::uint64_t a, std::uint64_t b) {
    Nanoseconds product;
    return __builtin_mul_overflow(a, b, &product) ? kForever / 2 : product;
}

}  // namespace

Knote::Knote(Kqueue& kqueue, EventQueue& queue, const Kevent& change, File* file, const void* table)
    : kqueue_(kqueue),
      file_(file),
      table_(table),
      queue_(&queue),
      settings_(change),
      timer_(timer_fired, this) {}

Result<> Knote::attach() {
    switch (settings_.filter) {
        case kFilterRead:
        case kFilterWrite:
        case kFilterPoll:
            source_ = &file_->events();
            break;
        case kFilterVnode:
            if (!file_->vnode())
                return fail(Errno::Inval);
            source_ = &file_->vnode()->events();
            break;
        case kFilterTimer: {
            settings_.flags |= kEventClear;
            return start_timer();
        }
        case kFilterUser:
            triggered_ = settings_.fflags & kNoteUserTrigger;
            settings_.fflags &= kNoteUserFlags;
            return {};
        case kFilterProcess: {
            constexpr Events kKnown = kProcessExit | kProcessFork | kProcessExec;
            if (settings_.fflags & ~kKnown)
                return fail(Errno::Inval);  // NOTE_TRACK
            ProcessSources sources =
                SKEP_TRY(process_sources(static_cast<std::int32_t>(settings_.ident)));
            process_ = std::move(sources.process);
            source_ = sources.life;
            settings_.flags |= kEventClear;
            source_->subscribe(*this);
            // It may have ended before.
            const auto now = process_sources(static_cast<std::int32_t>(settings_.ident));
            if (!now || now->ended || now->life != source_)
                with_state([this](EventQueue&) { happened_ |= kProcessExit; });
            return {};
        }
        case kFilterSignal: {
            if (!signal_event(static_cast<unsigned>(
                    std::min<std::uint64_t>(settings_.ident, kSignalEvents + 1))))
                return fail(Errno::Inval);
            ProcessSources sources = SKEP_TRY(process_sources(0));
            process_ = std::move(sources.process);
            source_ = sources.signals;
            settings_.flags |= kEventClear;
            break;
        }
        case kFilterEmpty:
            return {};
        default:
            return fail(Errno::Inval);
    }
    source_->subscribe(*this);
    return {};
}

void Knote::detach() {
    if (source_)
        source_->unsubscribe(*this);
    timer_.cancel();
}

Result<> Knote::start_timer() {
    if (settings_.data < 0)
        return fail(Errno::Inval);
    const Nanoseconds amount =
        saturating_multiply(static_cast<std::uint64_t>(settings_.data), unit_of(settings_.fflags));
    const Nanoseconds now = monotonic_now();
    timer_.cancel();
    if (settings_.fflags & kNoteAbsoluteTime) {
        const std::int64_t ahead = static_cast<std::int64_t>(amount) - realtime_now();
        deadline_ = now + static_cast<Nanoseconds>(std::max<std::int64_t>(ahead, 0));
        period_ = 0;
        with_state([this](EventQueue&) { settings_.flags |= kEventOneshot; });
    } else {
        deadline_ = now + amount;
        period_ = settings_.flags & kEventOneshot ? 0 : std::max<Nanoseconds>(amount, 1);
    }
    timer_.arm(deadline_);
    return {};
}

// In interrupt context.
void Knote::timer_fired(Timer& timer, void* context) {
    Knote& knote = *static_cast<Knote*>(context);
    const Nanoseconds now = monotonic_now();
    std::uint64_t expired = 1;
    if (knote.period_) {
        if (now > knote.deadline_)
            expired += (now - knote.deadline_) / knote.period_;
        knote.deadline_ += expired * knote.period_;
        timer.arm(next_period(knote.deadline_, 0));
    }
    knote.kqueue_.activate(knote, {.times = expired});
}

bool Knote::wants(Events events) const {
    switch (settings_.filter) {
        case kFilterRead:
            return events & (kReadable | kEndEvents);
        case kFilterWrite:
            return events & (kWritable | kHangup | kError);
        case kFilterPoll:
            return events & (interest() | kHangup | kError);
        case kFilterVnode:
            return events & (interest() << kVnodeEventShift);
        case kFilterProcess:
            return events & interest();
        case kFilterSignal:
            return events & signal_event(static_cast<unsigned>(settings_.ident));
        default:
            return true;
    }
}

// update() may be at it. It looks for what it has begun to want afterwards.
std::uint32_t Knote::interest() const {
    return std::atomic_ref(const_cast<std::uint32_t&>(settings_.fflags))
        .load(std::memory_order_relaxed);
}

void Knote::on_events(Events events) {
    if (wants(events))
        kqueue_.activate(*this, {.events = events, .times = settings_.filter == kFilterSignal});
}

// Called in flux, without the lock; `out` are the settings as they were under it.
bool Knote::evaluate(Kevent& out) {
    const std::uint16_t flags = out.flags;
    const std::uint32_t fflags = out.fflags;
    const std::int64_t low_water = out.data;
    out.flags &= static_cast<std::uint16_t>(~(kEventAdd | kEventEnable | kEventReceipt));
    switch (out.filter) {
        case kFilterRead: {
            const Events events = file_->ready(kReadable | kReadHangup);
            out.data = static_cast<std::int64_t>(file_->amount(kReadable));
            out.fflags = 0;
            if (events & kEndEvents) {
                out.flags |= kEventEof;
                return true;
            }
            return (events & kReadable) && (!(fflags & kNoteLowWater) || out.data >= low_water);
        }
        case kFilterWrite: {
            const Events events = file_->ready(kWritable);
            out.data = static_cast<std::int64_t>(file_->amount(kWritable));
            out.fflags = 0;
            if (events & (kHangup | kError)) {
                out.flags |= kEventEof;
                return true;
            }
            return events & kWritable;
        }
        case kFilterPoll:
            out.fflags = file_->ready(fflags);
            return out.fflags;
        case kFilterVnode:
            return with_state([&](EventQueue&) -> bool {
                out.fflags = happened_ >> kVnodeEventShift & fflags;
                if (flags & kEventClear)
                    happened_ = 0;
                return out.fflags;
            });
        case kFilterProcess:
            with_state([&](EventQueue&) { out.fflags = std::exchange(happened_, 0) & fflags; });
            if (out.fflags & kProcessExit) {
                out.data = exit_status_of(*process_);
                out.flags |= kEventEof | kEventOneshot;
            }
            return out.fflags;
        case kFilterSignal:
        case kFilterTimer:
            return with_state([&](EventQueue&) -> bool {
                out.data = static_cast<std::int64_t>(std::exchange(expirations_, 0));
                return out.data;
            });
        case kFilterUser:
            return with_state([&](EventQueue&) {
                if (!triggered_)
                    return false;
                out.fflags = settings_.fflags;
                triggered_ = !(flags & kEventClear);
                return true;
            });
        default:
            return false;
    }
}

// A change to one that exists. With the kqueue's change lock and the lock of its state held.
void Knote::update(const Kevent& change) {
    if (!(change.flags & kEventKeepUserData))
        settings_.udata = change.udata;
    settings_.ext = change.ext;
    constexpr std::uint16_t kScheduling = kEventRealtime | kEventAffinity;
    if (change.flags & kEventAdd)
        settings_.flags = static_cast<std::uint16_t>((settings_.flags & ~kScheduling) |
                                                     (change.flags & kScheduling));
    if (settings_.filter == kFilterUser) {
        const std::uint32_t given = change.fflags & kNoteUserFlags;
        switch (change.fflags & kNoteUserControl) {
            case kNoteUserAnd:
                settings_.fflags &= given;
                break;
            case kNoteUserOr:
                settings_.fflags |= given;
                break;
            case kNoteUserCopy:
                settings_.fflags = given;
                break;
            default:
                break;
        }
        if (change.fflags & kNoteUserTrigger)
            triggered_ = true;
        if (change.flags & kEventAdd)
            settings_.data = change.data;
        return;
    }
    if (!(change.flags & kEventAdd))
        return;
    constexpr std::uint16_t kKept = kEventOneshot | kEventClear | kEventDispatch;
    settings_.flags =
        static_cast<std::uint16_t>((settings_.flags & ~kKept) | (change.flags & kKept));
    std::atomic_ref(settings_.fflags).store(change.fflags, std::memory_order_relaxed);
    settings_.data = change.data;
    if (settings_.filter == kFilterTimer) {
        settings_.flags |= kEventClear;
        expirations_ = 0;
    }
}

}  // namespace skep::kernel
