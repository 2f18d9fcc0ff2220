// What this machine is: from the kernel, and from hv through /dev/vmmctl if that is there.
#pragma once

#include "skep/api/v1/host_service.pb.h"

#include <string>

namespace skep::mgmt {

skep::api::v1::Host host_info(const std::string& vmm_control);

}  // namespace skep::mgmt
