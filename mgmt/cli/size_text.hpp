// Sizes as people write them: "512M", "1.5 GiB".
#pragma once

#include "mgmt/common/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace skep::mgmt::cli {

// Bytes, or with K, M, G, T (binary, also as KiB or KB): "64M" is 67108864.
Result<std::uint64_t> parse_size(std::string_view text);

std::string size_text(std::uint64_t bytes);  // "64.0 MiB"

}  // namespace skep::mgmt::cli
