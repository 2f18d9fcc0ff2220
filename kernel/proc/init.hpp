// The first program.
#pragma once

namespace skep::kernel {

// Makes process 1, which executes the program named by the command line's init= (default
// /sbin/init) with the console as its standard files. The root file system must be there.
void start_init();

}  // namespace skep::kernel
