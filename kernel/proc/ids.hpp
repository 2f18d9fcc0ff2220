// Within kernel/proc: the parts of ids.cpp that only life and death need. With process_lock held.
#pragma once

#include <kernel/proc/process.hpp>

namespace skep::kernel {

// Null: the thread is gone, the number stays (a process's own until it is waited for).
void set_id_thread(std::int32_t number, Thread* thread);
// What it names from now on. Whoever is found by a number is whole, so a new process or thread is
// named last, and one that goes away loses its name first.
void set_id_owner(std::int32_t number, IdOwner owner);
// Its first member.
void found_group(Process& process, Ref<ProcessGroup> group);
void join_group_of(Process& process, Process& other);

}  // namespace skep::kernel
