// The PCI drivers that the kernel has: one line each, in drivers.cpp.
#pragma once

#include <kernel/dev/pci/bus.hpp>

#include <span>

namespace skep::kernel::pci {

std::span<const Driver* const> drivers();

}  // namespace skep::kernel::pci
