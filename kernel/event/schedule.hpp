// Which queue of a scheduled kqueue (SKQ) gets an event: the policies alone, of what they are told.
#pragma once

#include <kernel/base/errno.hpp>
#include <kernel/sync/wait.hpp>

#include <cstdint>
#include <optional>

namespace skep::kernel {

enum class Scheduler : std::uint8_t {  // KQ_SCHED_*
    Random = 0,
    Queue = 1,  // where the knote fired first
    Cpu = 2,    // of the CPU that activates it
    Best = 4    // the best of some
};

struct Schedule {
    Scheduler scheduler = Scheduler::Random;
    // Best: among how many queues, chosen by chance. Cpu, Queue: how many are compared with the
    // local one.
    std::uint8_t candidates = 0;
    std::uint8_t steal_most = 0;  // knotes at a time; 0: no stealing

    // FKQMULTI's argument: KQSCHED_MAKE(sched, sargs, feat, fargs). Inval: unknown bits.
    static Result<Schedule> parse(std::uint32_t argument);
};

// SplitMix64.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed * kStep) {}
    std::uint64_t next();
    std::uint32_t below(std::uint32_t limit) {
        return static_cast<std::uint32_t>((next() >> 32) * limit >> 32);
    }

  private:
    static constexpr std::uint64_t kStep = 0x9e3779b97f4a7c15;
    std::uint64_t state_;
};

struct Load {
    Nanoseconds average = 0;  // that the program takes for an event
    std::uint32_t queued = 0;
    bool idle = false;  // its thread waits
    Nanoseconds latency() const;
    bool lower_than(const Load& other) const;
    // Low enough to leave the local queue for it: below 80 % of its latency.
    bool beats(const Load& local) const;
};

// With one more sample: the old ones weigh four times as much as it.
Nanoseconds smoothed(Nanoseconds average, Nanoseconds sample);

class LoadView {
  public:
    virtual std::uint32_t count() const = 0;
    virtual Load load(std::uint32_t index) const = 0;

  protected:
    ~LoadView() = default;
};

// -> the queue's index; none: the local one if there is one, else there is no queue at all.
std::optional<std::uint32_t> choose_queue(const Schedule&, const LoadView&, const Load* local,
                                          Random&);

}  // namespace skep::kernel
