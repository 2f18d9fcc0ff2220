// What a program was given at its start, read from its memory: environment and auxiliary vector.
// It may have changed them since.
#pragma once

#include <kernel/base/vector.hpp>
#include <kernel/mm/vm_map.hpp>

namespace skep::kernel {

class Process;

// Whether the caller may look into the memory of another process.
bool may_inspect(Process& process);

// Strings, each with its NUL; what is longer than kMostEnvironment is cut off. Fault: the program
// has destroyed the record.
inline constexpr std::size_t kMostEnvironment = 256 << 10;
Result<Vector<char>> read_environment(VmMap& map);
// Pairs of type and value, with the last, AT_NULL.
Result<Vector<std::uint64_t>> read_auxiliary_vector(VmMap& map);

}  // namespace skep::kernel
