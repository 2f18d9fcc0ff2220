// Mounting, where both personalities agree. All of it is the superuser's: Perm.
#pragma once

#include <kernel/abi/arguments.hpp>

namespace skep::kernel::abi {

// Perm, NotDir.
Result<Ref<Vnode>> mount_point_argument(const PlaceArgument&);
// A file system of its own. NoDev: no such type ("tmpfs", "ramfs", "proc"); Busy: /dev's, which is
// mounted at boot.
Result<> mount_file_system(std::string_view type, Ref<Vnode> on, std::string_view source);
// It disappears at once, and lives on while files in it are open. Inval: not the root of one; Busy.
Result<> unmount_file_system(const PlaceArgument&);

}  // namespace skep::kernel::abi
