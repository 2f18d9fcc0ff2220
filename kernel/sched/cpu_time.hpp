// How long a thread has run. Its CPU writes, with interrupts masked; anybody reads.
#pragma once

#include <kernel/sync/wait.hpp>

#include <atomic>

namespace skep::kernel {

class CpuTime {
  public:
    // It gets a CPU.
    void start(Nanoseconds now) { write(used_.load(std::memory_order_relaxed), now); }
    // It gives the CPU up. -> how long it had it
    Nanoseconds stop(Nanoseconds now) {
        const Nanoseconds part = now - since_.load(std::memory_order_relaxed);
        write(used_.load(std::memory_order_relaxed) + part, kForever);
        return part;
    }
    // Of the one that runs.
    Nanoseconds since() const { return since_.load(std::memory_order_relaxed); }
    Nanoseconds total(Nanoseconds now) const {
        for (;;) {
            const std::uint32_t before = writes_.load(std::memory_order_acquire);
            const Nanoseconds used = used_.load(std::memory_order_acquire);
            const Nanoseconds since = since_.load(std::memory_order_acquire);
            if (before % 2 == 0 && writes_.load(std::memory_order_relaxed) == before)
                return used + (now > since ? now - since : 0);
        }
    }

  private:
    void write(Nanoseconds used, Nanoseconds since) {
        const std::uint32_t before = writes_.load(std::memory_order_relaxed);
        writes_.store(before + 1, std::memory_order_relaxed);
        used_.store(used, std::memory_order_release);
        since_.store(since, std::memory_order_release);
        writes_.store(before + 2, std::memory_order_release);
    }
    std::atomic<std::uint32_t> writes_{0};  // odd: in the middle of one
    std::atomic<Nanoseconds> used_{0};
    std::atomic<Nanoseconds> since_{kForever};  // not running
};

}  // namespace skep::kernel
