// poll(2) and select(2), where both personalities agree: all but poll's bits.
#pragma once

#include <kernel/event/source.hpp>
#include <kernel/mm/user.hpp>
#include <kernel/sync/wait.hpp>

#include <array>

namespace skep::kernel::abi {

struct PollBits {
    Events (*to_events)(std::uint32_t poll);
    std::uint32_t (*to_poll)(Events events, std::uint32_t asked);
};

// `count` struct pollfd at `entries`. `deadline` 0: look only once. -> how many have a result.
Result<std::uint64_t> poll_descriptors(UserAddr entries, std::uint32_t count, Nanoseconds deadline,
                                       const PollBits&);

// The sets of readable, writable and exceptional descriptors below `count`, bitmaps of 64-bit
// words; 0: none.
Result<std::uint64_t> select_descriptors(std::uint32_t count, const std::array<UserAddr, 3>& sets,
                                         Nanoseconds deadline);

}  // namespace skep::kernel::abi
