// The ACPI tables of a guest (ACPI 6.4): RSDP, XSDT, FADT, FACS, MADT, DSDT.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace skep::guestdev {

// All tables, to be placed at `address`; the RSDP comes first.
std::vector<std::byte> acpi_tables(std::uint64_t address, unsigned vcpus);

}  // namespace skep::guestdev
