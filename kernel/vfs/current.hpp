// The calling process as the file system sees it. Implemented by kernel/proc.
#pragma once

#include <kernel/vfs/caller.hpp>
#include <kernel/vfs/descriptor_table.hpp>
#include <kernel/vfs/fs_context.hpp>

namespace skep::kernel {

Caller current_caller();
FsContext& current_fs();
DescriptorTable& current_descriptors();
std::uint32_t current_descriptor_limit();  // RLIMIT_NOFILE
std::int32_t current_process_id();
void raise_pipe_signal();  // SIGPIPE for the calling thread

}  // namespace skep::kernel
