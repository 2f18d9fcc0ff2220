// The calling process of host tests: one process, root, with a file system and descriptors of the
// test's choice.
#include <kernel/dev/tty/job_control.hpp>
#include <kernel/event/process_source.hpp>
#include <kernel/testing/current.hpp>

namespace skep::kernel {

namespace testing {
Ref<FsContext> test_fs;
Ref<DescriptorTable> test_descriptors;
Job test_job{100, 100, 100};
std::vector<std::pair<std::int32_t, JobSignal>> test_signals;
int pipe_signals = 0;
TestProcess* test_process = new TestProcess;
}  // namespace testing

Caller current_caller() {
    return {};
}
FsContext& current_fs() {
    return *testing::test_fs;
}
DescriptorTable& current_descriptors() {
    return *testing::test_descriptors;
}
std::uint32_t current_descriptor_limit() {
    return 1024;
}
std::int32_t current_process_id() {
    return testing::test_job.process;
}
void raise_pipe_signal() {
    testing::pipe_signals++;
}

Job current_job() {
    return testing::test_job;
}
void signal_group(std::int32_t group, JobSignal signal) {
    testing::test_signals.emplace_back(group, signal);
}
bool current_ignores(JobSignal) {
    return false;
}
bool current_group_orphaned() {
    return false;
}
std::int32_t session_of_group(std::int32_t group) {
    return group == 0 ? 0 : 100;
}

Result<ProcessSources> process_sources(std::int32_t process) {
    if (process != 0 && process != testing::test_job.process)
        return fail(Errno::Srch);
    testing::TestProcess& only = *testing::test_process;
    return ProcessSources{Ref<RefCounted>(&only), &only.life, &only.signals, only.ended};
}
std::uint32_t exit_status_of(RefCounted&) {
    return 7 << 8;
}

}  // namespace skep::kernel
