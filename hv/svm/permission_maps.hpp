// The I/O and MSR permission maps (APM vol. 2, 15.10 and 15.11): one of each for all guests, and an
// MSR map for the root domain.
#pragma once

#include "hv/svm/vcpu.hpp"

namespace skep::hv::svm {

void build_permission_maps();
Hpa io_map();  // every port leaves
Hpa msr_map(Role role);

}  // namespace skep::hv::svm
