// Finding PCI functions and giving them to their drivers.
#pragma once

#include <kernel/dev/pci/device.hpp>

namespace skep::kernel::pci {

struct Driver {
    const char* name;
    bool (*matches)(const Device&);
    // Runs in a kernel thread at boot, may sleep. An error is logged, the device stays unused.
    Result<> (*attach)(Device&);
};

// Walks all buses and attaches the drivers of kernel/dev/pci/drivers.cpp. Once, at boot.
void initialize();

}  // namespace skep::kernel::pci
