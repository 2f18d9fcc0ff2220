// Names of resources: "vms/a" is the id "a" in the collection "vms" (AIP-122).
#pragma once

#include "mgmt/common/error.hpp"

#include <string>
#include <string_view>

namespace skep::mgmt {

// An id: [a-z]([a-z0-9-]{0,61}[a-z0-9])?, the shape of a DNS label, so that it can be a file name,
// part of a device name (/dev/vmm/ID) and a host name. `field` is the request's field it came from.
Result<std::string> parse_id(std::string_view id, std::string_view field);

// "vms/a" -> "a". A bare "a" is taken too where a name is wanted: there is only one place to look.
Result<std::string> parse_name(std::string_view name, std::string_view collection,
                               std::string_view field);

}  // namespace skep::mgmt
