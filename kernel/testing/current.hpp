// Knobs of the host tests' calling process.
#pragma once

#include <kernel/dev/tty/job_control.hpp>
#include <kernel/vfs/current.hpp>

#include <utility>
#include <vector>

namespace skep::kernel::testing {

extern Ref<FsContext> test_fs;
extern Ref<DescriptorTable> test_descriptors;
extern Job test_job;
extern std::vector<std::pair<std::int32_t, JobSignal>> test_signals;
extern int pipe_signals;
struct TestProcess final : RefCounted {
    EventSource life, signals;
    bool ended = false;
};
extern TestProcess* test_process;  // never freed

}  // namespace skep::kernel::testing
