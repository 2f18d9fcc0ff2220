// When a program's page cannot be had.
#pragma once

namespace skep::kernel {

// Chooses the process with the most resident memory (never init) and kills it, unless one that was
// chosen before is still dying; then waits a little. The caller tries again, or finds itself
// killed. False: nobody is left to be killed.
bool relieve_memory();

}  // namespace skep::kernel
