// The root domain's second-level tables: every physical address maps to itself with all rights, in
// the largest pages, hv's range left out.
#pragma once

#include "hv/memory/address.hpp"

namespace skep::hv {

void identity_map_build();
Hpa identity_map_root();

}  // namespace skep::hv
