#include <kernel/abi/mounts.hpp>

#include <kernel/vfs/file_system.hpp>
#include <kernel/vfs/procfs/procfs.hpp>
#include <kernel/vfs/tmpfs/tmpfs.hpp>

namespace skep::kernel::abi {

namespace {

constexpr std::string_view kDevices = "devtmpfs";

Result<Ref<FileSystem>> make_file_system(std::string_view type) {
    if (type == "tmpfs" || type == "ramfs")
        return Ref<FileSystem>(SKEP_TRY(Tmpfs::create("tmpfs", 01777)));
    if (type == "proc")
        return create_procfs();
    return fail(Errno::NoDev);
}

Result<> require_superuser() {
    return current_caller().superuser() ? Result<>() : fail(Errno::Perm);
}

}  // namespace

Result<Ref<Vnode>> mount_point_argument(const PlaceArgument& place) {
    SKEP_TRY(require_superuser());
    Ref<Vnode> on = SKEP_TRY(find_vnode(actor(), place, true));
    if (!on->is_directory())
        return fail(Errno::NotDir);
    return on;
}

Result<> mount_file_system(std::string_view type, Ref<Vnode> on, std::string_view source) {
    if (type == kDevices && on->file_system().type() == kDevices)
        return fail(Errno::Busy);
    return mounts().mount(SKEP_TRY(make_file_system(type)), std::move(on), source);
}

Result<> unmount_file_system(const PlaceArgument& place) {
    SKEP_TRY(require_superuser());
    const Ref<Vnode> root = SKEP_TRY(find_vnode(actor(), place, true));
    if (root != root->file_system().root())
        return fail(Errno::Inval);
    return mounts().unmount(*root);
}

}  // namespace skep::kernel::abi
