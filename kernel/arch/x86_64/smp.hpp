#pragma once

namespace skep::kernel {

// Starts every other CPU that ACPI (or hv) lists, one after the other. Interrupts may be on.
void start_other_cpus();

}  // namespace skep::kernel
