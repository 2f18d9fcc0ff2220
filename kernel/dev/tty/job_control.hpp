// What terminals need to know of processes, and do to them. job_control.cpp has it from
// kernel/proc; host tests bring their own.
#pragma once

#include <cstdint>

namespace skep::kernel {

enum class JobSignal : std::uint8_t {
    Hangup,
    Interrupt,
    Quit,
    Suspend,
    Continue,
    BackgroundRead,
    BackgroundWrite,
    WindowChange
};

struct Job {
    std::int32_t process = 0, group = 0, session = 0;
    bool session_leader() const { return process == session; }
};

Job current_job();
void signal_group(std::int32_t group, JobSignal);
bool current_ignores(JobSignal);  // or blocks
bool current_group_orphaned();
// The session that has the group; 0: there is no such group.
std::int32_t session_of_group(std::int32_t group);

}  // namespace skep::kernel
