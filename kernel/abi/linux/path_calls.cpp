// Linux calls on names.
#include <kernel/abi/file_service.hpp>
#include <kernel/abi/linux/arguments.hpp>
#include <kernel/abi/mounts.hpp>
#include <kernel/abi/syscall.hpp>
#include <kernel/dev/tty/tty.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/vfs/device.hpp>
#include <kernel/vfs/file_system.hpp>

#include <algorithm>

namespace skep::kernel::linux_abi {

namespace {

using Value = Result<std::uint64_t>;

// --- open ---

Value open_at(std::uint64_t descriptor, UserAddr path, std::uint32_t flags, std::uint32_t mode,
              WalkHow walk) {
    const PlaceArgument place = SKEP_TRY(place_argument(descriptor, path));
    walk.follow = !(flags & kONoFollow);
    OpenHow how{.flags = file_flags(flags),
                .create = (flags & kOCreate) && !(flags & kOPath),
                .exclusive = static_cast<bool>(flags & kOExclusive),
                .truncate = (flags & kOTruncate) && !(flags & kOPath),
                .directory = static_cast<bool>(flags & kODirectory),
                .no_controlling_tty = static_cast<bool>(flags & kONoControllingTty),
                .permissions = mode & kModePermissions,
                .walk = walk};
    if (how.create && how.directory)
        return fail(Errno::Inval);
    Ref<File> file;
    if (flags & kOTmpfile) {
        if (!(flags & kODirectory) || !(how.flags & kOpenWrite))
            return fail(Errno::Inval);
        file = SKEP_TRY(open_unnamed(actor(), place, how));
    } else {
        file = SKEP_TRY(restartable(open_file(actor(), place, how)));
    }
    if (Tty* tty = file->tty(); tty && !how.no_controlling_tty && !file->tty_master())
        tty->opened_by_session_leader();
    return add_descriptor(std::move(file), flags & kOCloseOnExec);
}

Value openat(const std::uint64_t* a) {
    return open_at(a[0], a[1], static_cast<std::uint32_t>(a[2]), static_cast<std::uint32_t>(a[3]),
                   {});
}
Value open(const std::uint64_t* a) {
    return open_at(kCwd, a[0], static_cast<std::uint32_t>(a[1]), static_cast<std::uint32_t>(a[2]),
                   {});
}
Value creat(const std::uint64_t* a) {
    return open_at(kCwd, a[0], kOCreate | kOTruncate | 1, static_cast<std::uint32_t>(a[1]), {});
}

Value openat2(const std::uint64_t* a) {
    enum : std::uint64_t {
        kNoXdev = 1,
        kNoMagicLinks = 2,
        kNoSymlinks = 4,
        kBeneath = 8,
        kInRoot = 16
    };
    if (a[3] < sizeof(OpenHow2))
        return fail(Errno::Inval);
    if (a[3] > sizeof(OpenHow2))
        return fail(Errno::TooBig);
    const OpenHow2 how = SKEP_TRY(copy_in<OpenHow2>(a[2]));
    if ((how.resolve & ~std::uint64_t{31}) || how.flags >> 32 ||
        (how.mode & ~std::uint64_t{kModePermissions}))
        return fail(Errno::Inval);
    return open_at(
        a[0], a[1], static_cast<std::uint32_t>(how.flags), static_cast<std::uint32_t>(how.mode),
        {.no_symlinks = static_cast<bool>(how.resolve & kNoSymlinks),
         .no_magic_links = static_cast<bool>(how.resolve & (kNoMagicLinks | kNoSymlinks)),
         .no_mounts = static_cast<bool>(how.resolve & kNoXdev),
         .beneath = static_cast<bool>(how.resolve & kBeneath),
         .in_root = static_cast<bool>(how.resolve & kInRoot)});
}

// --- what is there ---

Result<> put_statfs(UserAddr to, FileSystem& file_system) {
    FileSystemStat from;
    SKEP_TRY(file_system.stat(from));
    StatFs stat{};
    // statfs(2): magic numbers
    const std::string_view type(from.type);
    stat.type = type == "proc"    ? 0x9fa0
                : type == "ext4"  ? 0xef53
                : type == "sysfs" ? 0x62656572
                                  : 0x01021994;
    stat.block_size = stat.fragment_size = from.block_size;
    stat.blocks = from.blocks;
    stat.free_blocks = stat.available_blocks = from.free_blocks;
    stat.files = from.files;
    stat.free_files = from.free_files;
    stat.id[0] = static_cast<std::int32_t>(from.id);
    stat.name_max = from.name_max;
    return copy_out(to, stat);
}

Value statfs(const std::uint64_t* a) {
    const PlaceArgument place = SKEP_TRY(place_argument(kCwd, a[0]));
    Ref<Vnode> vnode = SKEP_TRY(find_vnode(actor(), place, true));
    SKEP_TRY(put_statfs(a[1], vnode->file_system()));
    return 0;
}
Value fstatfs(const std::uint64_t* a) {
    Ref<File> file = SKEP_TRY(file_argument(a[0]));
    if (!file->vnode())
        return fail(Errno::NoSys);
    SKEP_TRY(put_statfs(a[1], file->vnode()->file_system()));
    return 0;
}

Value access_at(std::uint64_t descriptor, UserAddr path, std::uint64_t mode, std::uint32_t flags) {
    if ((mode & ~7ull) || (flags & ~(kAtEffectiveAccess | kAtSymlinkNofollow | kAtEmptyPath)))
        return fail(Errno::Inval);
    const auto wanted = static_cast<std::uint32_t>(mode);
    PathArgument text = SKEP_TRY(PathArgument::copy(path));
    if ((flags & kAtEmptyPath) && text.view().empty()) {
        FileStat stat;
        SKEP_TRY(SKEP_TRY(file_argument(descriptor))->stat(stat));
        SKEP_TRY(check_access(stat, current_caller(), wanted));
        return 0;
    }
    const Ref<Vnode> start = SKEP_TRY(start_argument(descriptor, text.view()));
    SKEP_TRY(
        check_path_access(actor(), {start, text.view()}, wanted, !(flags & kAtSymlinkNofollow)));
    return 0;
}
Value access(const std::uint64_t* a) {
    return access_at(kCwd, a[0], a[1], 0);
}
Value faccessat(const std::uint64_t* a) {
    return access_at(a[0], a[1], a[2], 0);
}
Value faccessat2(const std::uint64_t* a) {
    return access_at(a[0], a[1], a[2], static_cast<std::uint32_t>(a[3]));
}

Value readlink_at(std::uint64_t descriptor, UserAddr path, UserAddr buffer, std::uint64_t size) {
    if (static_cast<std::int64_t>(size) <= 0)
        return fail(Errno::Inval);
    const PlaceArgument place = SKEP_TRY(place_argument(descriptor, path));
    Ref<Vnode> vnode;
    if (place.path.view().empty() && static_cast<int>(descriptor) != kAtFdCwd)
        vnode = SKEP_TRY(file_argument(descriptor))->vnode();
    else
        vnode = SKEP_TRY(find_vnode(actor(), place, false));
    if (!vnode)
        return fail(Errno::Inval);
    return read_link(*vnode, buffer, size);
}
Value readlink(const std::uint64_t* a) {
    return readlink_at(kCwd, a[0], a[1], a[2]);
}
Value readlinkat(const std::uint64_t* a) {
    return readlink_at(a[0], a[1], a[2], a[3]);
}

// --- directories ---

class EntryBuffer final : public DirectorySink {
  public:
    explicit EntryBuffer(std::span<std::byte> room) : room_(room) {}
    bool add(const DirectoryEntry& entry) override {
        const std::size_t size =
            (sizeof(DirectoryEntryHeader) + entry.name.size() + 1 + 7) & ~std::size_t{7};
        if (size > room_.size() - used_) {
            too_small_ = used_ == 0;
            return false;
        }
        const DirectoryEntryHeader header{
            .inode = entry.inode,
            .next = static_cast<std::int64_t>(entry.next),
            .size = static_cast<std::uint16_t>(size),
            .type = static_cast<std::uint8_t>(mode_of(entry.type) >> 12)};  // DT_*
        std::byte* to = room_.data() + used_;
        std::memset(to, 0, size);
        std::memcpy(to, &header, sizeof header);
        std::memcpy(to + sizeof header, entry.name.data(), entry.name.size());
        used_ += size;
        return true;
    }
    std::size_t used() const { return used_; }
    bool too_small() const { return too_small_; }

  private:
    std::span<std::byte> room_;
    std::size_t used_ = 0;
    bool too_small_ = false;
};

Value getdents64(const std::uint64_t* a) {
    constexpr std::size_t kChunk = 32 * 1024;
    Ref<File> file = SKEP_TRY(file_argument(a[0]));
    Vector<std::byte> buffer;
    SKEP_TRY(buffer.resize(std::min<std::size_t>(a[2], kChunk)));
    EntryBuffer entries(buffer.span());
    SKEP_TRY(file->read_directory(entries));
    if (entries.too_small())
        return fail(Errno::Inval);
    SKEP_TRY(copy_out(a[1], buffer.data(), entries.used()));
    return entries.used();
}

Value mkdirat(const std::uint64_t* a) {
    SKEP_TRY(make_directory(actor(), SKEP_TRY(place_argument(a[0], a[1])),
                            static_cast<std::uint32_t>(a[2]) & kModePermissions));
    return 0;
}
Value mkdir(const std::uint64_t* a) {
    const std::uint64_t arguments[] = {kCwd, a[0], a[1]};
    return mkdirat(arguments);
}

Value unlinkat(const std::uint64_t* a) {
    if (a[2] & ~std::uint64_t{kAtRemoveDir})
        return fail(Errno::Inval);
    const PlaceArgument place = SKEP_TRY(place_argument(a[0], a[1]));
    SKEP_TRY(a[2] ? remove_directory(actor(), place) : remove_name(actor(), place));
    return 0;
}
Value unlink(const std::uint64_t* a) {
    const std::uint64_t arguments[] = {kCwd, a[0], 0};
    return unlinkat(arguments);
}
Value rmdir(const std::uint64_t* a) {
    const std::uint64_t arguments[] = {kCwd, a[0], kAtRemoveDir};
    return unlinkat(arguments);
}

Value renameat2(const std::uint64_t* a) {
    constexpr std::uint64_t kNoReplace = 1, kExchange = 2;
    if (a[4] & ~(kNoReplace | kExchange) || a[4] == (kNoReplace | kExchange))
        return fail(Errno::Inval);
    const PlaceArgument from = SKEP_TRY(place_argument(a[0], a[1])),
                        to = SKEP_TRY(place_argument(a[2], a[3]));
    const RenameHow how = a[4] & kNoReplace  ? RenameHow::NoReplace
                          : a[4] & kExchange ? RenameHow::Exchange
                                             : RenameHow::Replace;
    SKEP_TRY(rename_path(actor(), from, to, how));
    return 0;
}
Value renameat(const std::uint64_t* a) {
    const std::uint64_t arguments[] = {a[0], a[1], a[2], a[3], 0};
    return renameat2(arguments);
}
Value rename(const std::uint64_t* a) {
    const std::uint64_t arguments[] = {kCwd, a[0], kCwd, a[1], 0};
    return renameat2(arguments);
}

Value linkat(const std::uint64_t* a) {
    if (a[4] & ~std::uint64_t{kAtSymlinkFollow | kAtEmptyPath})
        return fail(Errno::Inval);
    const PlaceArgument from = SKEP_TRY(place_argument(a[0], a[1])),
                        to = SKEP_TRY(place_argument(a[2], a[3]));
    if ((a[4] & kAtEmptyPath) && from.path.view().empty()) {
        Ref<File> file = SKEP_TRY(file_argument(a[0]));
        if (!file->vnode())
            return fail(Errno::XDev);
        SKEP_TRY(link_vnode(actor(), *file->vnode(), to));
        return 0;
    }
    SKEP_TRY(make_link(actor(), from, a[4] & kAtSymlinkFollow, to));
    return 0;
}
Value link(const std::uint64_t* a) {
    const std::uint64_t arguments[] = {kCwd, a[0], kCwd, a[1], 0};
    return linkat(arguments);
}

Value symlinkat(const std::uint64_t* a) {
    const PathArgument target = SKEP_TRY(PathArgument::copy(a[0]));
    SKEP_TRY(make_symlink(actor(), target.view(), SKEP_TRY(place_argument(a[1], a[2]))));
    return 0;
}
Value symlink(const std::uint64_t* a) {
    const std::uint64_t arguments[] = {a[0], kCwd, a[1]};
    return symlinkat(arguments);
}

Value mknodat(const std::uint64_t* a) {
    const auto mode = static_cast<std::uint32_t>(a[2]);
    const PlaceArgument place = SKEP_TRY(place_argument(a[0], a[1]));
    for (VnodeType type : {VnodeType::Regular, VnodeType::CharDevice, VnodeType::BlockDevice,
                           VnodeType::Fifo, VnodeType::Socket})
        if (mode_of(type) == (mode & kModeTypeMask) ||
            (!(mode & kModeTypeMask) && type == VnodeType::Regular)) {
            const bool device = type == VnodeType::CharDevice || type == VnodeType::BlockDevice;
            SKEP_TRY(make_node(actor(), place, type, mode & kModePermissions,
                               device ? decode_device(a[3]) : 0));
            return 0;
        }
    return fail(Errno::Inval);
}
Value mknod(const std::uint64_t* a) {
    const std::uint64_t arguments[] = {kCwd, a[0], a[1], a[2]};
    return mknodat(arguments);
}

// --- the process's place ---

Value umask(const std::uint64_t* a) {
    return current_fs().set_umask(static_cast<std::uint32_t>(a[0]));
}

Value chdir(const std::uint64_t* a) {
    const PlaceArgument place = SKEP_TRY(place_argument(kCwd, a[0]));
    SKEP_TRY(change_directory(actor(), SKEP_TRY(find_vnode(actor(), place, true))));
    return 0;
}
Value fchdir(const std::uint64_t* a) {
    Ref<File> file = SKEP_TRY(file_argument(a[0]));
    if (!file->vnode())
        return fail(Errno::NotDir);
    SKEP_TRY(change_directory(actor(), file->vnode()));
    return 0;
}
Value chroot(const std::uint64_t* a) {
    const PlaceArgument place = SKEP_TRY(place_argument(kCwd, a[0]));
    Ref<Vnode> root = SKEP_TRY(find_vnode(actor(), place, true));
    if (!root->is_directory())
        return fail(Errno::NotDir);
    if (!current_caller().superuser())
        return fail(Errno::Perm);
    current_fs().set_root(std::move(root));
    return 0;
}

Value getcwd(const std::uint64_t* a) {
    const Text path = SKEP_TRY(path_of_directory(current_fs(), current_fs().working_directory()));
    if (path.view().size() + 1 > a[1])
        return fail(Errno::Range);
    SKEP_TRY(copy_out(a[0], path.view().data(), path.view().size()));
    SKEP_TRY(copy_out(a[0] + path.view().size(), '\0'));
    return path.view().size() + 1;
}

// --- mounts ---

Value mount(const std::uint64_t* a) {
    enum : std::uint64_t {
        kRemount = 32,
        kBind = 4096,
        kMove = 8192,
        kUnbindable = 1 << 17,
        kPrivate = 1 << 18,
        kSlave = 1 << 19,
        kShared = 1 << 20
    };
    Ref<Vnode> on = SKEP_TRY(mount_point_argument(SKEP_TRY(place_argument(kCwd, a[1]))));
    if (a[3] & (kUnbindable | kPrivate | kSlave | kShared | kRemount))
        return 0;  // nothing propagates here, and no option can be changed
    if (a[3] & (kBind | kMove))
        return fail(Errno::Inval);
    const PathArgument type = SKEP_TRY(PathArgument::copy(a[2]));
    PathArgument source;
    if (a[0])
        source = SKEP_TRY(PathArgument::copy(a[0]));
    SKEP_TRY(mount_file_system(type.view(), std::move(on),
                               source.view().empty() ? type.view() : source.view()));
    return 0;
}

Value umount2(const std::uint64_t* a) {
    SKEP_TRY(unmount_file_system(SKEP_TRY(place_argument(kCwd, a[0]))));
    return 0;
}

Value sync(const std::uint64_t*) {
    (void)mounts().sync_all();
    return 0;
}
Value syncfs(const std::uint64_t* a) {
    Ref<File> file = SKEP_TRY(file_argument(a[0]));
    if (file->vnode())
        SKEP_TRY(file->vnode()->file_system().sync());
    return 0;
}

// --- memfd ---

Value memfd_create(const std::uint64_t* a) {
    constexpr std::uint64_t kCloseOnExec = 1, kAllowSealing = 2, kNoExecuteSeal = 8, kExecute = 16;
    if (a[1] & ~(kCloseOnExec | kAllowSealing | kNoExecuteSeal | kExecute))
        return fail(Errno::Inval);
    constexpr std::size_t kMemfdNameMax = 249;
    const PathArgument name = SKEP_TRY(PathArgument::copy(a[0]));
    if (name.view().size() > kMemfdNameMax)
        return fail(Errno::Inval);
    const Text shown = SKEP_TRY(Text::join("/memfd:", name.view(), " (deleted)"));
    Ref<File> file = SKEP_TRY(open_memory_file(shown.view()));
    return add_descriptor(std::move(file), a[1] & kCloseOnExec);
}

constexpr Syscall kTable[] = {
    {2, "open", 3, open},
    {21, "access", 2, access, SyscallStatus::Partial, "judges by the effective user"},
    {79, "getcwd", 2, getcwd},
    {80, "chdir", 1, chdir},
    {81, "fchdir", 1, fchdir},
    {82, "rename", 2, rename},
    {83, "mkdir", 2, mkdir},
    {84, "rmdir", 1, rmdir},
    {85, "creat", 2, creat},
    {86, "link", 2, link},
    {87, "unlink", 1, unlink},
    {88, "symlink", 2, symlink},
    {89, "readlink", 3, readlink},
    {95, "umask", 1, umask},
    {133, "mknod", 3, mknod},
    {137, "statfs", 2, statfs},
    {138, "fstatfs", 2, fstatfs},
    {161, "chroot", 1, chroot},
    {162, "sync", 0, sync},
    {165, "mount", 5, mount, SyscallStatus::Partial,
     "tmpfs and proc; no bind or move; options are ignored"},
    {166, "umount2", 2, umount2, SyscallStatus::Partial, "always lazy"},
    {217, "getdents64", 3, getdents64},
    {257, "openat", 4, openat, SyscallStatus::Partial,
     "O_SYNC, O_DIRECT and O_NOATIME have no effect"},
    {258, "mkdirat", 3, mkdirat},
    {259, "mknodat", 4, mknodat},
    {263, "unlinkat", 3, unlinkat},
    {264, "renameat", 4, renameat},
    {265, "linkat", 5, linkat},
    {266, "symlinkat", 3, symlinkat},
    {267, "readlinkat", 4, readlinkat},
    {269, "faccessat", 3, faccessat, SyscallStatus::Partial, "judges by the effective user"},
    {306, "syncfs", 1, syncfs},
    {316, "renameat2", 5, renameat2, SyscallStatus::Partial, "no RENAME_WHITEOUT"},
    {319, "memfd_create", 2, memfd_create, SyscallStatus::Partial, "no seals, no huge pages"},
    {437, "openat2", 4, openat2},
    {439, "faccessat2", 4, faccessat2, SyscallStatus::Partial, "judges by the effective user"},
};

}  // namespace

extern const std::span<const Syscall> path_calls;
const std::span<const Syscall> path_calls = kTable;

}  // namespace skep::kernel::linux_abi
