#include <kernel/sched/scheduler.hpp>

#include <kernel/arch/x86_64/apic.hpp>
#include <kernel/arch/x86_64/cpu.hpp>
#include <kernel/arch/x86_64/percpu.hpp>
#include <kernel/base/log.hpp>
#include <kernel/mm/address_space.hpp>
#include <kernel/mm/kernel_map.hpp>
#include <kernel/sched/timer_queue.hpp>

#include <algorithm>
#include <new>
#include <utility>

namespace skep::kernel {

extern "C" void switch_context(std::uint64_t* save_rsp, std::uint64_t load_rsp);
extern "C" void thread_start();

namespace {

bool is_idle(const Cpu& cpu) {
    return cpu.thread == cpu.idle;
}

// A CPU for a thread that becomes runnable: where it ran last unless that is busy and another
// idles.
Cpu& choose_cpu(const Thread& thread) {
    Cpu& last = *cpus[thread.cpu.load(std::memory_order_relaxed)];
    const bool last_allowed = thread.affinity >> last.number & 1;
    // Its stack is in use there: only that CPU can tell when it is free.
    if (thread.on_cpu.load(std::memory_order_acquire))
        return last;
    if (last_allowed && is_idle(last) && last.run_queue->empty())
        return last;
    Cpu* best = last_allowed ? &last : nullptr;
    for (std::uint32_t i = 0; i < cpu_count; i++) {
        Cpu& cpu = *cpus[i];
        if (!cpu.online.load(std::memory_order_acquire) || !(thread.affinity >> i & 1))
            continue;
        if (is_idle(cpu) && cpu.run_queue->empty())
            return cpu;
        if (!best)
            best = &cpu;
    }
    return best ? *best : last;
}

// Interrupts masked.
void enqueue(Thread& thread) {
    Cpu& cpu = choose_cpu(thread);
    thread.cpu.store(cpu.number, std::memory_order_relaxed);
    const std::uint8_t urgency = thread.urgency();
    cpu.run_queue->put_back(
        thread, monotonic_now());  // from here on another CPU may run it, even to its end
    if (&cpu != &this_cpu()) {
        send_interrupt(cpu, kRescheduleVector);
        return;
    }
    if (is_idle(cpu) || urgency < cpu.thread->urgency())
        cpu.reschedule = true;
    else
        update_timer_interrupt();  // the running thread's slice is limited now
}

// A CPU with nothing to do comes and takes what waits here.
void call_idle_cpu(const Cpu& busy) {
    for (std::uint32_t i = 1; i < cpu_count; i++) {
        const Cpu& other = *cpus[(busy.number + i) % cpu_count];
        if (other.online.load(std::memory_order_acquire) && is_idle(other) &&
            other.run_queue->empty()) {
            send_interrupt(other, kRescheduleVector);
            return;
        }
    }
}

void finish_switch() {
    Cpu& cpu = this_cpu();
    Thread* previous = cpu.previous;
    cpu.previous = nullptr;
    if (!previous)
        return;
    const bool exited = previous->state.load(std::memory_order_relaxed) == ThreadState::Exited;
    const bool migrate = std::exchange(cpu.migrate, false);
    previous->on_cpu.store(false, std::memory_order_release);
    if (exited) {
        free_kernel_stack(previous->stack_top);
        free_fpu(previous->fpu);
        delete previous;
    } else if (migrate) {
        enqueue(*previous);
    }
}

Thread* steal_for(const Cpu& cpu) {
    for (std::uint32_t i = 1; i < cpu_count; i++) {
        Cpu& victim = *cpus[(cpu.number + i) % cpu_count];
        if (victim.online.load(std::memory_order_acquire) && victim.run_queue->length() > 0)
            if (Thread* thread = victim.run_queue->steal(cpu.number))
                return thread;
    }
    return nullptr;
}

// What the running thread has used until now.
void charge(Thread& thread, Nanoseconds now) {
    thread.slice_used += thread.cpu_time.stop(now);
}

}  // namespace

extern "C" void thread_started() {
    finish_switch();
    enable_interrupts();
}

void schedule() {
    Cpu& cpu = this_cpu();
    Thread& current = *cpu.thread;
    cpu.reschedule = false;
    const Nanoseconds now = monotonic_now();
    charge(current, now);
    if (current.state.load(std::memory_order_relaxed) != ThreadState::Running) {
        current.slice_used = 0;  // a sleep: a new slice afterwards
    } else if (&current != cpu.idle) {
        const bool used_up = current.slice_ended();
        if (used_up) {
            current.slice_used = std::min(
                current.slice_used - current.slice.load(std::memory_order_relaxed), kSlice);
            if (current.level != kLevelKernel && current.level < kLevelUserLast)
                current.level = current.nice > 0 ? kLevelUserLast : current.level + 1;
        }
        current.state.store(ThreadState::Runnable, std::memory_order_relaxed);
        // A CPU that it may run on gets it when its stack is free: finish_switch().
        cpu.migrate = !(current.affinity >> cpu.number & 1);
        if (!cpu.migrate && used_up)
            cpu.run_queue->put_back(current, now);
        else if (!cpu.migrate)
            cpu.run_queue->put_front(current);
    }
    Thread* next = cpu.run_queue->take(now);
    // Not allowed here any more: pass it on.
    while (next && !(next->affinity >> cpu.number & 1) &&
           !next->on_cpu.load(std::memory_order_acquire)) {
        enqueue(*next);
        next = cpu.run_queue->take(now);
    }
    if (!next)
        next = steal_for(cpu);
    if (!next)
        next = cpu.idle;
    next->state.store(ThreadState::Running, std::memory_order_relaxed);
    next->cpu.store(cpu.number, std::memory_order_relaxed);
    next->cpu_time.start(now);
    if (next->slice_ended())
        next->slice_used = 0;
    if (next == &current) {
        update_timer_interrupt();
        return;
    }
    next->on_cpu.store(true, std::memory_order_relaxed);
    cpu.thread = next;
    cpu.previous = &current;
    cpu.kernel_stack = next->stack_top;
    cpu.tss.rsp[0] = next->stack_top;
    update_timer_interrupt();
    if (current.fpu && current.fpu_live)
        save_fpu(*current.fpu);
    if (current.process)
        save_user_bases(current);
    if (next->process) {
        load_address_space(cpu, *next);
        write_msr(Msr::FsBase, next->fs_base);
        write_msr(Msr::KernelGsBase, next->gs_base);
    } else {
        leave_address_space(cpu);
    }
    if (next->fpu && next->fpu_live)
        restore_fpu(*next->fpu);
    switch_context(&current.saved_rsp, next->saved_rsp);
    finish_switch();
}

void save_user_bases(Thread& me) {
    if (!programs_set_bases)
        return;
    asm volatile("rdfsbase %0" : "=r"(me.fs_base));
    me.gs_base = read_msr(Msr::KernelGsBase);
}

void preempt_if_asked() {
    Cpu& cpu = this_cpu();
    if (cpu.reschedule && cpu.preempt_off == 0)
        schedule();
}

void update_timer_interrupt() {
    Cpu& cpu = this_cpu();
    Nanoseconds deadline = cpu.timers->next_deadline();
    // A slice that has ended needs no second interrupt: where preemption is off it would come at
    // once, for ever.
    if (!is_idle(cpu) && !cpu.reschedule && !cpu.run_queue->empty()) {
        const Thread& current = *cpu.thread;
        const Nanoseconds slice = current.slice.load(std::memory_order_relaxed);
        const Nanoseconds left = current.slice_used < slice ? slice - current.slice_used : 0;
        deadline = std::min(deadline, current.cpu_time.since() + left);
    }
    program_timer(deadline);
}

void on_timer_interrupt() {
    Cpu& cpu = this_cpu();
    const Nanoseconds now = monotonic_now();
    cpu.timers->run(now);
    Thread& current = *cpu.thread;
    if (&current == cpu.idle) {
        cpu.reschedule = cpu.reschedule || !cpu.run_queue->empty();
    } else if (!cpu.run_queue->empty()) {
        charge(current, now);
        current.cpu_time.start(now);
        call_idle_cpu(cpu);
        cpu.reschedule = cpu.reschedule || current.slice_ended();
    }
    update_timer_interrupt();
}

void on_reschedule_interrupt() {
    Cpu& cpu = this_cpu();
    if (is_idle(cpu) ||
        (cpu.thread->urgency() > 0 && cpu.run_queue->has_urgent(cpu.thread->urgency() - 1)))
        cpu.reschedule = true;
    update_timer_interrupt();
}

void begin_sleep(Sleep how) {
    Thread& me = *this_cpu().thread;
    me.interruptible.store(how == Sleep::Interruptible, std::memory_order_relaxed);
    // Before others can wake it: a thread in a run queue keeps the level under which it was put
    // there.
    if (me.level > kLevelUserFirst)
        me.level--;
    me.state.store(ThreadState::Sleeping, std::memory_order_seq_cst);
}

void sleep_now() {
    schedule();
}

void cancel_sleep() {
    Thread& me = *this_cpu().thread;
    ThreadState expected = ThreadState::Sleeping;
    // Already woken: it is in a queue, and comes back from there.
    if (!me.state.compare_exchange_strong(expected, ThreadState::Running))
        schedule();
}

bool wake(Thread& thread) {
    const InterruptsOff off;
    ThreadState expected = ThreadState::Sleeping;
    if (!thread.state.compare_exchange_strong(expected, ThreadState::Runnable))
        return false;
    enqueue(thread);
    return true;
}

void wake_interruptible(Thread& thread) {
    if (thread.interruptible.load(std::memory_order_seq_cst))
        wake(thread);
}

void requeue(Thread& thread) {
    RunQueue* queue;
    do
        queue = thread.run_queue.load();
    while (queue && !queue->move(thread));
    if (!queue)
        return;  // it runs, or sleeps
    Cpu& cpu = *cpus[thread.cpu.load(std::memory_order_relaxed)];
    if (&cpu != &this_cpu())
        send_interrupt(cpu, kRescheduleVector);
    else if (thread.urgency() < cpu.thread->urgency())
        cpu.reschedule = true;
}

void interrupt_thread(Thread& thread) {
    const InterruptsOff off;
    const Cpu& cpu = *cpus[thread.cpu.load(std::memory_order_relaxed)];
    if (&cpu != &this_cpu() && thread.on_cpu.load(std::memory_order_acquire))
        send_interrupt(cpu, kRescheduleVector);
}

Result<Thread*> create_thread(const char* name, void (*entry)(void*), void* argument) {
    auto* thread = new (std::nothrow) Thread;
    if (!thread)
        return fail(Errno::NoMem);
    auto stack = allocate_kernel_stack();
    if (!stack) {
        delete thread;
        return fail(stack.error());
    }
    thread->name = name;
    thread->stack_top = *stack;
    // What switch_context pops, below the place of the user frame.
    auto* sp = reinterpret_cast<std::uint64_t*>(&thread->user_frame());
    *--sp = 0;  // alignment, and the end of backtraces
    *--sp = 0;
    *--sp = reinterpret_cast<std::uint64_t>(&thread_start);
    *--sp = 0;                                          // rbp
    *--sp = 0;                                          // rbx
    *--sp = reinterpret_cast<std::uint64_t>(entry);     // r12
    *--sp = reinterpret_cast<std::uint64_t>(argument);  // r13
    *--sp = 0;                                          // r14
    *--sp = 0;                                          // r15
    thread->saved_rsp = reinterpret_cast<std::uint64_t>(sp);
    return thread;
}

void start_thread(Thread& thread) {
    const InterruptsOff off;
    thread.cpu.store(this_cpu().number, std::memory_order_relaxed);
    thread.state.store(ThreadState::Runnable, std::memory_order_relaxed);
    enqueue(thread);
}

void destroy_unstarted_thread(Thread* thread) {
    free_kernel_stack(thread->stack_top);
    free_fpu(thread->fpu);
    delete thread;
}

void exit_thread() {
    disable_interrupts();
    this_cpu().thread->state.store(ThreadState::Exited, std::memory_order_relaxed);
    schedule();
    panic("an exited thread was resumed");
}

void init_scheduler_on_this_cpu(Cpu& cpu) {
    cpu.run_queue = new (std::nothrow) RunQueue;
    cpu.timers = new (std::nothrow) TimerQueue;
    cpu.idle = new (std::nothrow) Thread;
    if (!cpu.run_queue || !cpu.timers || !cpu.idle)
        panic("no memory for CPU {}", cpu.number);
    cpu.idle->name = "idle";
    cpu.idle->level = kLevels;
    cpu.idle->cpu = cpu.number;
    cpu.idle->state = ThreadState::Running;
    cpu.idle->on_cpu = true;
    cpu.idle->cpu_time.start(0);
    cpu.thread = cpu.idle;
}

void run_idle_loop() {
    for (;;) {
        disable_interrupts();
        Cpu& cpu = this_cpu();
        if (cpu.reschedule || !cpu.run_queue->empty()) {
            schedule();
            continue;
        }
        if (cpu_count > 1)
            if (Thread* stolen = steal_for(cpu)) {
                cpu.run_queue->put_front(*stolen);
                continue;
            }
        enable_interrupts_and_halt();
    }
}

// --- kernel/sched/thread.hpp ---

Thread& current_thread() {
    Thread* thread;
    asm volatile("movq %%gs:%c1, %0" : "=r"(thread) : "i"(CPU_THREAD));
    return *thread;
}

std::uint32_t current_cpu() {
    const InterruptsOff off;
    return this_cpu().number;
}

Result<Thread*> start_kernel_thread(const char* name, void (*entry)(void*), void* argument) {
    struct Start {
        void (*entry)(void*);
        void* argument;
    };
    auto* start = new (std::nothrow) Start{entry, argument};
    if (!start)
        return fail(Errno::NoMem);
    auto thread = create_thread(
        name,
        [](void* p) {
            const Start start = *static_cast<Start*>(p);
            delete static_cast<Start*>(p);
            start.entry(start.argument);
            exit_thread();
        },
        start);
    if (!thread) {
        delete start;
        return thread;
    }
    (*thread)->level = kLevelKernel;
    start_thread(**thread);
    return thread;
}

void yield() {
    const InterruptsOff off;
    Thread& me = *this_cpu().thread;
    me.slice_used = me.slice.load(std::memory_order_relaxed);
    schedule();
}

void sleep_until(std::uint64_t deadline) {
    WaitQueue nobody;
    SpinLock lock("sleep_until");
    SpinGuard guard(lock);
    while (monotonic_now() < deadline)
        (void)nobody.wait(guard, Sleep::Uninterruptible, deadline);
}

}  // namespace skep::kernel
