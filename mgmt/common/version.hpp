#pragma once

namespace skep::mgmt {

inline constexpr const char* kVersion = "0.1.0";

}  // namespace skep::mgmt
