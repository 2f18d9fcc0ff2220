// Intel 8254x Gigabit Ethernet (PCI/PCI-X Family of Gigabit Ethernet Controllers Software
// Developer's Manual, revision 4.0): legacy descriptors, no offloads, one interrupt.
#pragma once

#include <kernel/dev/pci/bus.hpp>

namespace skep::kernel::e1000 {

extern const pci::Driver kDriver;

}  // namespace skep::kernel::e1000
