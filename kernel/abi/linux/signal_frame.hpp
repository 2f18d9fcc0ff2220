// The frame of a signal handler as Linux lays it out on the user stack (asm/sigcontext.h,
// asm/ucontext.h).
#pragma once

#include <kernel/arch/x86_64/trap.hpp>
#include <kernel/proc/signal_state.hpp>

namespace skep::kernel::linux_abi {

Result<> push_signal_frame(TrapFrame& frame, const SignalInfo& info, const SignalAction& action,
                           const SignalSet& mask);
// rt_sigreturn: registers, mask and alternate stack as they were. Fault kills the caller.
Result<> return_from_signal(TrapFrame& frame);

// The caller's stack pointer lies on its alternate stack.
bool on_alternate_stack(const AlternateStack& stack, UserAddr sp);

struct LinuxStack {
    std::uint64_t base;
    std::int32_t flags, padding;
    std::uint64_t size;
};
inline constexpr std::int32_t kStackOnStack = 1, kStackDisable = 2;
inline constexpr std::int32_t kStackAutoDisarm = static_cast<std::int32_t>(1u << 31);
LinuxStack to_linux_stack(const AlternateStack& stack, UserAddr sp);

}  // namespace skep::kernel::linux_abi
