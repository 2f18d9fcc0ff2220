// The parts of start-up that run in a thread: drivers, network, root file system.
#pragma once

namespace skep::kernel {

void start_devices();
// The archive module becomes the root file system; devfs and procfs are mounted in it.
void mount_root();

}  // namespace skep::kernel
