// A small /proc: what C libraries, shells and process tools of Linux programs read.
#pragma once

#include <kernel/vfs/file_system.hpp>

namespace skep::kernel {

Result<Ref<FileSystem>> create_procfs();

}  // namespace skep::kernel
