// The argument of `skep vm create --disk`.
#pragma once

#include "mgmt/common/error.hpp"

#include "skep/vm/v1/spec.pb.h"

#include <string_view>

namespace skep::mgmt::cli {

// "data=10G", "root=image:debian", "root=image:debian,size=10G,read-only".
Result<skep::vm::v1::Disk> parse_disk(std::string_view text);

}  // namespace skep::mgmt::cli
