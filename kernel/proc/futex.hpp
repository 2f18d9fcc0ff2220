// Sleeping on an address: the core of both Linux's futex and FreeBSD's _umtx_op.
#pragma once

#include <kernel/mm/user.hpp>
#include <kernel/sync/wait.hpp>

#include <cstdint>
#include <optional>

namespace skep::kernel {

// Sleeps while the word at `address` is `expected`, until a wake whose mask has a bit in common
// with `mask`. `shared`: also with other processes, if the word is in a shared mapping. Errors:
// Again (the word differs), Intr, TimedOut, Fault, Inval (misaligned).
Result<> futex_wait(UserAddr address, bool shared, std::uint32_t expected, std::uint32_t mask,
                    Nanoseconds deadline);
// Wakes up to `count`. -> how many.
Result<std::uint32_t> futex_wake(UserAddr address, bool shared, std::uint32_t count,
                                 std::uint32_t mask);
// Wakes up to `wake`, moves up to `move` others to sleep on `target`. `expected`: Again if the word
// at `address` differs. -> woken + moved.
Result<std::uint32_t> futex_requeue(UserAddr address, UserAddr target, bool shared,
                                    std::uint32_t wake, std::uint32_t move,
                                    std::optional<std::uint32_t> expected);

}  // namespace skep::kernel
