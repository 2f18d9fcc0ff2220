// Tracing a child (ptrace(2)): a traced process stops, and tells its parent, before a signal other
// than SIGKILL is delivered and after it has executed a program. The parent is the tracer.
#pragma once

#include <kernel/proc/process.hpp>
#include <kernel/sync/spinlock.hpp>

namespace skep::kernel {

// The calling process asks its parent to trace it. Busy: it does already.
Result<> be_traced();

// Of a traced child of the caller that is stopped. Srch: there is no such process; Perm: it is not
// the caller's to trace; Busy: it runs.
Result<> continue_traced(ProcessId child, Signal signal);  // with the signal delivered, or None
Result<> stop_tracing(ProcessId child, Signal signal);
Result<> kill_traced(ProcessId child);

// exec has succeeded: a traced process stops with SIGTRAP.
void trace_exec();

}  // namespace skep::kernel
