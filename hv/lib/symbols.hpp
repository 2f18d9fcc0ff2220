// The names of hv's own functions, for backtraces. The table is made from a first link and put into
// the second (hv/meson.build).
#pragma once

#include "hv/lib/types.hpp"

#include <string_view>

namespace skep::hv {

struct FunctionName {
    std::string_view name;  // "?" if there is none
    u64 offset = 0;         // of the address from the function's start
};
FunctionName function_at(u64 address);

}  // namespace skep::hv
