// virtio-net (Virtual I/O Device 1.2, 5.1): one queue pair, no offloads.
#pragma once

#include <kernel/dev/pci/bus.hpp>

namespace skep::kernel::virtio {

extern const pci::Driver kNetDriver;

}  // namespace skep::kernel::virtio
