#pragma once

#include "mgmt/common/text.hpp"

namespace skep::mgmt::cli {

// One per command: gRPC may send a call again by itself, and then it must not begin a second
// operation.
inline std::string new_request_id() {
    return random_hex(16);
}

}  // namespace skep::mgmt::cli
