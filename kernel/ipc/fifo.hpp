// Pipes that have a name.
#pragma once

#include <kernel/vfs/file.hpp>

namespace skep::kernel {

// Opening for reading waits for a writer and the other way round, unless nonblocking: then reading
// opens at once and writing fails with NxIo if there is no reader.
Result<Ref<File>> open_fifo(Vnode&, std::uint32_t flags);

}  // namespace skep::kernel
