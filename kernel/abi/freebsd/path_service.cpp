#include <kernel/abi/freebsd/path_service.hpp>

#include <limits>

namespace skep::kernel::freebsd_abi {

Stat to_bsd_stat(const FileStat& from) {
    Stat stat{};
    stat.device = encode_device(from.device);
    stat.inode = from.inode;
    stat.links = from.links;
    stat.mode = static_cast<std::uint16_t>(from.mode);
    stat.user = from.user;
    stat.group = from.group;
    stat.device_number = encode_device(from.device_number);
    stat.accessed = abi::to_timespec(from.accessed);
    stat.modified = abi::to_timespec(from.modified);
    stat.changed = abi::to_timespec(from.changed);
    stat.created = abi::to_timespec(from.created);
    stat.size = static_cast<std::int64_t>(from.size);
    stat.blocks = static_cast<std::int64_t>(from.blocks);
    stat.block_size = static_cast<std::int32_t>(from.block_size);
    return stat;
}

Result<FileStat> stat_of(std::uint64_t descriptor) {
    FileStat stat;
    SKEP_TRY(SKEP_TRY(abi::file_argument(descriptor))->stat(stat));
    return stat;
}

Result<FileStat> stat_at(std::uint64_t descriptor, UserAddr path, std::uint32_t flags) {
    if (flags & ~(kAtSymlinkNofollow | kAtResolveBeneath | kAtEmptyPath))
        return fail(Errno::Inval);
    const abi::PathArgument text = SKEP_TRY(abi::PathArgument::copy(path));
    if (flags & kAtEmptyPath && text.view().empty() &&
        static_cast<int>(descriptor) != abi::kAtFdCwd)
        return stat_of(descriptor);
    const Ref<Vnode> start = SKEP_TRY(abi::start_argument(descriptor, text.view()));
    FileStat stat;
    const bool here = flags & kAtEmptyPath && text.view().empty();
    const Ref<Vnode> vnode = here ? start
                                  : SKEP_TRY(find_vnode(abi::actor(), {start, text.view()},
                                                        !(flags & kAtSymlinkNofollow)));
    SKEP_TRY(vnode->stat(stat));
    return stat;
}

Result<Ref<Vnode>> vnode_of(std::uint64_t descriptor) {
    const Ref<File> file = SKEP_TRY(abi::file_argument(descriptor));
    if (!file->vnode())
        return fail(Errno::Inval);
    return file->vnode();
}

Result<Ref<FileSystem>> file_system_at(UserAddr path) {
    const abi::PlaceArgument place =
        SKEP_TRY(abi::place_argument(static_cast<std::uint64_t>(abi::kAtFdCwd), path));
    return Ref<FileSystem>(&SKEP_TRY(find_vnode(abi::actor(), place, true))->file_system());
}

Result<Ref<FileSystem>> file_system_of(std::uint64_t descriptor) {
    return Ref<FileSystem>(&SKEP_TRY(vnode_of(descriptor))->file_system());
}

void copy_text(std::span<char> to, std::string_view from) {
    const std::size_t size = from.copy(to.data(), to.size() - 1);
    std::fill(to.begin() + static_cast<std::ptrdiff_t>(size), to.end(), '\0');
}

Result<Text> mount_point(FileSystem& file_system) {
    const Ref<Vnode> covered = file_system.covered();
    if (!covered)
        return Text::copy("/");
    return path_of_directory(current_fs(), covered);
}

std::string_view type_name(std::string_view type) {
    if (type == "proc")
        return "procfs";
    if (type == "devtmpfs")
        return "devfs";
    if (type == "ext4")
        return "ext2fs";
    return type;
}

}  // namespace skep::kernel::freebsd_abi
