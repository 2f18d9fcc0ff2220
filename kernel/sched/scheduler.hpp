// The preemptive scheduler: a run queue per CPU, idle CPUs steal.
#pragma once

#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/sched/run_queue.hpp>

namespace skep::kernel {

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
