// Calls on signals, where both personalities agree.
#pragma once

#include <kernel/proc/signal_state.hpp>

namespace skep::kernel::abi {

// Linux's SIG_BLOCK..., FreeBSD's are one more.
enum class MaskChange : std::uint32_t {
    Block,
    Unblock,
    Set
};
Result<> change_signal_mask(MaskChange, const SignalSet&);  // Inval

// si_code of CLD_*, SEGV_*, BUS_*, ILL_*, TRAP_* and FPE_*; FreeBSD has another FPE_INTDIV. 0:
// sent.
std::int32_t detail_code(SignalCause);

}  // namespace skep::kernel::abi
