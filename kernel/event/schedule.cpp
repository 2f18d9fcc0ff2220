#include <kernel/event/schedule.hpp>

#include <algorithm>

namespace skep::kernel {

Result<Schedule> Schedule::parse(std::uint32_t argument) {
    constexpr std::uint32_t kStealing = 1;  // KQ_SCHED_FEAT_WS
    const auto byte = [argument](unsigned n) {
        return static_cast<std::uint8_t>(argument >> (8 * n));
    };
    const std::uint8_t scheduler = byte(0), features = byte(2);
    if (scheduler > 4 || scheduler == 3 || (features & ~kStealing))
        return fail(Errno::Inval);
    Schedule schedule{.scheduler = static_cast<Scheduler>(scheduler), .candidates = byte(1)};
    if (features & kStealing)
        schedule.steal_most = std::max<std::uint8_t>(byte(3), 1);
    return schedule;
}

std::uint64_t Random::next() {
    std::uint64_t z = state_ += kStep;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

Nanoseconds Load::latency() const {
    Nanoseconds product;
    return __builtin_mul_overflow(average, queued, &product) ? kForever : product;
}

bool Load::lower_than(const Load& other) const {
    if (latency() != other.latency())
        return latency() < other.latency();
    if (queued != other.queued)
        return queued < other.queued;
    return idle && !other.idle;
}

bool Load::beats(const Load& local) const {
    return latency() < local.latency() - local.latency() / 5;
}

Nanoseconds smoothed(Nanoseconds average, Nanoseconds sample) {
    return average / 5 * 4 + average % 5 * 4 / 5 + sample / 5;
}

namespace {

// Of `tries` chosen by chance; of all if they are not more.
std::uint32_t best_of(const LoadView& view, std::uint32_t count, std::uint32_t tries,
                      Random& random) {
    const bool all = tries >= count;
    std::uint32_t best = random.below(count);
    Load least = view.load(best);
    for (std::uint32_t i = 1, at = best; i < (all ? count : tries); i++) {
        at = all ? (at + 1) % count : random.below(count);
        const Load load = view.load(at);
        if (load.lower_than(least)) {
            best = at;
            least = load;
        }
    }
    return best;
}

}  // namespace

std::optional<std::uint32_t> choose_queue(const Schedule& schedule, const LoadView& view,
                                          const Load* local, Random& random) {
    const std::uint32_t count = view.count();
    if (count == 0)
        return std::nullopt;
    switch (schedule.scheduler) {
        case Scheduler::Random:
            return random.below(count);
        case Scheduler::Best:
            return best_of(view, count, schedule.candidates, random);
        case Scheduler::Queue:
        case Scheduler::Cpu:
            break;
    }
    if (!local)
        return best_of(view, count, schedule.candidates, random);
    if (schedule.candidates == 0)
        return std::nullopt;
    const std::uint32_t best = best_of(view, count, schedule.candidates, random);
    if (view.load(best).beats(*local))
        return best;
    return std::nullopt;
}

}  // namespace skep::kernel
