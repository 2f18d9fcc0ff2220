// hv's own page tables: text executable, the rest of the image not, a guard page under each stack,
// the direct map of all RAM and of the low 4 GiB (without hv's text and constants).
#pragma once

namespace skep::hv {

// Once, on the boot CPU, with the memory map in ownership().
void host_tables_build();
// On each CPU.
void host_tables_activate();

}  // namespace skep::hv
