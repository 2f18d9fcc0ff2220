// What happens between a program's trap into the kernel and its return.
#pragma once

#include <kernel/arch/x86_64/trap.hpp>

#include <cstdint>

namespace skep::kernel {

// An exception raised by a program; becomes a resolved page fault or a signal. Interrupts on.
void handle_user_exception(TrapFrame& frame, std::uint64_t fault_address);
// A page fault on a user address with the given error code, in user or kernel mode: -> resolved.
bool resolve_user_fault(std::uint64_t address, std::uint64_t error);
// Before every return to user mode, interrupts masked: reschedules, delivers signals, ends the
// thread if its process dies. Returns with interrupts masked and nothing pending.
void finish_user_entry(TrapFrame& frame);

}  // namespace skep::kernel
