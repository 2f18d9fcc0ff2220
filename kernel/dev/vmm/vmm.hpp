// /dev/vmmctl and /dev/vmm/NAME (kernel/include/uapi/skep/vmm.h).
#pragma once

namespace skep::kernel {

// Makes /dev/vmmctl where hv is there. Once, at boot, when devfs is there.
void initialize_vmm();

}  // namespace skep::kernel
