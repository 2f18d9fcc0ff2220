// getpriority(2) and setpriority(2): the nice values of threads.
#pragma once

#include <kernel/base/errno.hpp>

#include <cstdint>

namespace skep::kernel {

class Thread;

enum class NiceOf : std::uint8_t {
    Thread,   // by its id
    Process,  // all its threads
    Group,
    User
};

// `id` 0: the caller's. Srch: there is none.
Result<int> lowest_nice(NiceOf, std::int32_t id);
// Brought into kNiceLeast..kNiceMost. Srch; Perm: another user's; Acces: lower than it was.
Result<> set_nice(NiceOf, std::int32_t id, int nice);

// A new thread's, which is as its creator's.
void inherit_nice(Thread& thread, const Thread& creator);

}  // namespace skep::kernel
