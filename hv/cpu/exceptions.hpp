// Exceptions in hv itself: all fatal, but for NMIs, which are kept for the root domain.
#pragma once

namespace skep::hv {

void load_idt();

}  // namespace skep::hv
