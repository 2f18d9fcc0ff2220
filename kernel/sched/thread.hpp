// What other parts of the kernel need of threads. struct Thread itself:
// kernel/sched/thread_impl.hpp.
#pragma once

#include <kernel/base/errno.hpp>
#include <kernel/base/ref.hpp>

namespace skep::kernel {

class Thread;
class Process;

Thread& current_thread();
Process& current_process();
std::uint32_t current_cpu();

// Starts a kernel thread at normal priority. `name` must live as long as the thread.
Result<Thread*> start_kernel_thread(const char* name, void (*entry)(void*), void* argument);

void yield();
void sleep_until(std::uint64_t monotonic_deadline);

// Whether a signal waits to be delivered to the current thread (an interruptible sleep would end).
bool signal_pending();

}  // namespace skep::kernel
