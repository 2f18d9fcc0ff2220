// The frame of a signal handler as FreeBSD lays it out on the user stack, and machine contexts in
// general.
#pragma once

#include <kernel/abi/freebsd/signal_types.hpp>
#include <kernel/arch/x86_64/trap.hpp>

namespace skep::kernel::freebsd_abi {

Result<> push_signal_frame(TrapFrame& frame, const SignalInfo& info, const SignalAction& action,
                           const SignalSet& mask);
// sigreturn, setcontext: registers and mask as `context` (a ucontext_t) says. Fault, Inval; the
// caller is unchanged then.
Result<> restore_context(TrapFrame& frame, UserAddr context);
// getcontext. The caller continues with result 0 and no error when the context is restored.
Result<> save_context(const TrapFrame& frame, UserAddr context);

bool on_alternate_stack(const AlternateStack& stack, UserAddr sp);
BsdStack to_bsd_stack(const AlternateStack& stack, UserAddr sp);

}  // namespace skep::kernel::freebsd_abi
