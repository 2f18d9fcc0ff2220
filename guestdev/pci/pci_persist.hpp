// A PCI function's part of a device's record.
#pragma once

#include <guestdev/pci/pci_config.hpp>

#include <optional>
#include <string>

namespace skep::snapshot::v1 {
class PciFunction;
}

namespace skep::guestdev {

void save_function(const PciConfig& config, snapshot::v1::PciFunction& message);
// A reason if it is no state of this function.
std::optional<std::string> restore_function(const snapshot::v1::PciFunction& message,
                                            PciConfig& config);

}  // namespace skep::guestdev
