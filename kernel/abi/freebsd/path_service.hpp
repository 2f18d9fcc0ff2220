// What the calls on names share, those of today and those from before 64-bit inode numbers.
#pragma once

#include <kernel/abi/arguments.hpp>
#include <kernel/abi/freebsd/file_types.hpp>
#include <kernel/vfs/file_system.hpp>
#include <kernel/vfs/vnode_file.hpp>

#include <algorithm>
#include <string_view>

namespace skep::kernel::freebsd_abi {

Stat to_bsd_stat(const FileStat&);
inline Result<> put_stat(UserAddr to, const FileStat& from) {
    return copy_out(to, to_bsd_stat(from));
}
Result<FileStat> stat_of(std::uint64_t descriptor);
// fstatat's flags.
Result<FileStat> stat_at(std::uint64_t descriptor, UserAddr path, std::uint32_t flags);

// Inval: an open file that is not in the file system.
Result<Ref<Vnode>> vnode_of(std::uint64_t descriptor);

Result<Ref<FileSystem>> file_system_at(UserAddr path);
Result<Ref<FileSystem>> file_system_of(std::uint64_t descriptor);

void copy_text(std::span<char> to, std::string_view from);  // cut to fit, NUL-terminated
// Where it is mounted, as the caller sees it.
Result<Text> mount_point(FileSystem&);
inline constexpr std::uint64_t kMountLocal = 0x1000, kMountRoot = 0x4000;
std::string_view type_name(std::string_view type);

template <typename Layout>
Result<> put_statfs(UserAddr to, FileSystem& file_system) {
    FileSystemStat from;
    SKEP_TRY(file_system.stat(from));
    const Text on = SKEP_TRY(mount_point(file_system));
    Vector<Layout> room;  // too large for the stack
    SKEP_TRY(room.resize(1));
    Layout& stat = room[0];
    stat.version = sizeof(Layout) == sizeof(StatFs) ? kStatFsVersion : kOldStatFsVersion;
    stat.flags = kMountLocal | (file_system.covered() ? 0 : kMountRoot);
    stat.block_size = stat.io_size = from.block_size;
    stat.blocks = from.blocks;
    stat.free_blocks = from.free_blocks;
    stat.available_blocks = static_cast<std::int64_t>(from.free_blocks);
    stat.files = from.files;
    stat.free_files = static_cast<std::int64_t>(from.free_files);
    stat.name_max = from.name_max;
    stat.id[0] = static_cast<std::int32_t>(from.id);
    copy_text(stat.type_name, type_name(from.type));
    copy_text(stat.from,
              file_system.source().empty() ? type_name(from.type) : file_system.source());
    copy_text(stat.on, on.view());
    return copy_out(to, stat);
}

// getfsstat: as many as fit into `size` bytes at `to`; all if `to` is null. -> how many.
template <typename Layout>
Result<std::uint64_t> list_file_systems(UserAddr to, std::uint64_t size) {
    std::uint64_t count = 0;
    for (Ref<FileSystem> each = mounts().next(nullptr); each; each = mounts().next(each.get())) {
        if (to) {
            if (size < (count + 1) * sizeof(Layout))
                break;
            SKEP_TRY(put_statfs<Layout>(to + count * sizeof(Layout), *each));
        }
        count++;
    }
    return count;
}

// getdirentries(descriptor, buffer, size, base). Buffer: a DirectorySink with used() and
// too_small().
template <typename Buffer>
Result<std::uint64_t> read_entries(const std::uint64_t* a) {
    constexpr std::size_t kChunk = 32 * 1024;
    const Ref<File> file = SKEP_TRY(abi::readable_argument(a[0]));
    if (!file->vnode() || !file->vnode()->is_directory())
        return fail(Errno::Inval);
    const std::uint64_t base = SKEP_TRY(file->seek(0, kSeekCurrent));
    Vector<std::byte> buffer;
    SKEP_TRY(buffer.resize(std::min<std::size_t>(a[2], kChunk)));
    Buffer entries(buffer.span());
    SKEP_TRY(file->read_directory(entries));
    if (entries.too_small())
        return fail(Errno::Inval);
    SKEP_TRY(copy_out(a[1], buffer.data(), entries.used()));
    if (a[3])
        SKEP_TRY(copy_out(a[3], base));
    return entries.used();
}

}  // namespace skep::kernel::freebsd_abi
