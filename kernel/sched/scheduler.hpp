// The preemptive scheduler: a run queue per CPU, idle CPUs steal.
#pragma once

#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/sched/thread_impl.hpp>

#include <array>

namespace skep::kernel {

inline constexpr Nanoseconds kSlice = 10'000'000;

class RunQueue {
  public:
    void put(Thread& thread, bool front);
    // The next thread for `cpu`, or null.
    Thread* take(std::uint32_t cpu);
    // A thread that may run on `thief` and whose stack is not in use.
    Thread* steal(std::uint32_t thief);
    // Whether a thread at `level` or a more urgent one waits.
    bool has_urgent(std::uint8_t level) const { return bitmap_.load(std::memory_order_relaxed) & ((2u << level) - 1); }
    bool empty() const { return bitmap_.load(std::memory_order_relaxed) == 0; }
    std::uint32_t length() const { return length_.load(std::memory_order_relaxed); }

  private:
    void remove(Thread& thread);
    SpinLock lock_{"RunQueue"};
    std::array<List<Thread, RunTag>, kLevels> lists_;
    std::atomic<std::uint32_t> bitmap_{0};
    std::atomic<std::uint32_t> length_{0};
    unsigned takes_ = 0;
};

// Makes the calling context the idle thread of its CPU. Interrupts masked.
void init_scheduler_on_this_cpu(Cpu& cpu);
[[noreturn]] void run_idle_loop();

// Interrupts masked: switches to the next thread; the current one stays runnable if it is Running.
void schedule();
// Sets the CPU's timer to its next timer or slice end. Interrupts masked.
void update_timer_interrupt();
// The timer vector's and the reschedule vector's work.
void on_timer_interrupt();
void on_reschedule_interrupt();
// At the end of an interrupt that may preempt.
void preempt_if_asked();

}  // namespace skep::kernel
