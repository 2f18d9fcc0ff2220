// The CPUs of the machine, from ACPI's MADT (ACPI 6.5, 5.2.12).
#pragma once

#include "hv/boot/multiboot.hpp"
#include "hv/lib/types.hpp"

#include <array>

namespace skep::hv {

struct ApicIds {
    std::array<u32, 64> ids{};
    unsigned count = 0;
};

// The enabled CPUs in the order of the table; none if there is no readable MADT.
ApicIds find_cpus(const multiboot::BootInformation& information);

}  // namespace skep::hv
