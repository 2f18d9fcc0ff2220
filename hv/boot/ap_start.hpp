// Starts the machine's other CPUs and parks them until the root domain asks for them.
#pragma once

#include "hv/boot/acpi.hpp"
#include "hv/memory/ownership.hpp"

namespace skep::hv {

// On the boot CPU, before the root domain starts. Those that do not answer are left out.
void start_cpus(const ApicIds& apic_ids, const Ownership& ram);

}  // namespace skep::hv
