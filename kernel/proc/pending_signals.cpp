#include <kernel/proc/signal_state.hpp>

#include <algorithm>

namespace skep::kernel {

PendingSignals::~PendingSignals() {
    while (QueuedSignal* q = queue_.pop_front())
        delete q;
}

void PendingSignals::add(const SignalInfo& info, QueuedSignal* node) {
    const bool again = set_.has(info.signal) && info.signal < Signal::RtMin;
    set_.add(info.signal);
    if (!node)
        return;
    if (again) {
        delete node;
        return;
    }
    node->info = info;
    queue_.push_back(*node);
}

SignalInfo PendingSignals::take(Signal signal) {
    SignalInfo info{.signal = signal};
    bool found = false, more = false;
    for (QueuedSignal& q : queue_) {
        if (q.info.signal != signal)
            continue;
        if (found) {
            more = true;
            break;
        }
        found = true;
        info = q.info;
        List<QueuedSignal>::remove(q);
        delete &q;
    }
    if (!more)
        set_.remove(signal);
    return info;
}

bool PendingSignals::count_overruns(Signal signal, std::int32_t timer, std::uint32_t times) {
    constexpr std::uint32_t kMost = 0x7fff'ffff;  // DELAYTIMER_MAX
    if (!set_.has(signal))
        return false;
    for (QueuedSignal& q : queue_)
        if (q.info.cause == SignalCause::Timer && q.info.signal == signal &&
            q.info.timer == timer) {
            q.info.overruns = std::min(kMost, q.info.overruns + times);
            return true;
        }
    return false;
}

void PendingSignals::discard(const SignalSet& signals) {
    set_ = set_ & ~signals;
    for (QueuedSignal& q : queue_)
        if (signals.has(q.info.signal)) {
            List<QueuedSignal>::remove(q);
            delete &q;
        }
}

}  // namespace skep::kernel
