// The names of the kernel's own functions, for backtraces. The table is made from a first link of
// the kernel and put into the second (kernel/symbols.py, kernel/meson.build).
#pragma once

#include <cstdint>
#include <string_view>

namespace skep::kernel {

struct FunctionName {
    std::string_view name;     // "?" if there is none
    std::uint64_t offset = 0;  // of the address from the function's start
};
FunctionName function_at(std::uint64_t address);

}  // namespace skep::kernel
