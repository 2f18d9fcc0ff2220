// Readers of kern.proc.* that have a file of their own.
#pragma once

#include <kernel/proc/process.hpp>
#include <kernel/sysctl/node.hpp>

namespace skep::kernel::sysctl {

// Of the process that the number after the node names; -1: the caller. Srch, Inval.
Result<Ref<Process>> named_process(Numbers rest);
// Perm: one that the caller may not look into.
Result<Ref<Process>> inspected_process(Numbers rest);

// Records end in a path, of which there is only as much as is used, in multiples of 8 bytes.
inline constexpr std::size_t kPathSize = 1024;  // PATH_MAX
std::size_t path_room(std::string_view path);
Result<> put_path(std::string_view path, std::size_t room, Value& out);
// Empty if it has none any more.
Text name_of(Vnode& file);

Result<> read_environment(Numbers rest, Value& out);
Result<> read_auxiliary_vector(Numbers rest, Value& out);
Result<> read_map(Numbers rest, Value& out);

Result<> read_files(Numbers rest, Value& out);
Result<> read_working_directory(Numbers rest, Value& out);

}  // namespace skep::kernel::sysctl
