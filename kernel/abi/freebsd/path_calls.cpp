// FreeBSD calls on names, and on what stat tells.
#include <kernel/abi/freebsd/path_service.hpp>

#include <kernel/abi/arguments.hpp>
#include <kernel/abi/file_service.hpp>
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/dev/tty/pty.hpp>
#include <kernel/sched/clock.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel::freebsd_abi {

namespace {

using namespace abi;

constexpr std::uint64_t kCwd = static_cast<std::uint64_t>(kAtFdCwd);

// --- open ---

Returns openat(Arguments a) {
    const auto flags = static_cast<std::uint32_t>(a[2]);
    if ((flags & kOAccessMode) == kOAccessMode || (flags & kOExecute && flags & kOAccessMode) ||
        (flags & kOCreate && flags & kODirectory))
        return fail(Errno::Inval);
    const PlaceArgument place = SKEP_TRY(place_argument(a[0], a[1]));
    const OpenHow how{
        .flags = file_flags(flags),
        .create = (flags & kOCreate) && !(flags & kOPath),
        .exclusive = (flags & kOExclusive) != 0,
        .truncate = (flags & kOTruncate) && !(flags & kOPath),
        .directory = (flags & kODirectory) != 0,
        .no_controlling_tty = true,
        .permissions = static_cast<std::uint32_t>(a[3]) & kModePermissions,
        .walk = {.follow = !(flags & kONoFollow), .beneath = (flags & kOResolveBeneath) != 0}};
    auto opened = restartable(open_file(actor(), place, how));
    if (!opened)  // open(2): O_NOFOLLOW on a symlink is EMLINK
        return fail(opened.error() == Errno::Loop && flags & kONoFollow ? Errno::MLink
                                                                        : opened.error());
    Ref<File> file = std::move(*opened);
    if (flags & (kOSharedLock | kOExclusiveLock)) {
        constexpr std::uint64_t kShared = 1, kExclusive = 2, kNonblock = 4;
        SKEP_TRY(lock_whole_file(*file, (flags & kOExclusiveLock ? kExclusive : kShared) |
                                            (flags & kONonblock ? kNonblock : 0)));
    }
    return add_descriptor(std::move(file), flags & kOCloseOnExec);
}
// Here grantpt(3) and unlockpt(3) have nothing to do: the terminal is open to its owner at once.
Returns posix_openpt(Arguments a) {
    const auto flags = static_cast<std::uint32_t>(a[0]);
    if (flags & ~(kOAccessMode | kONoControllingTty | kOCloseOnExec))
        return fail(Errno::Inval);
    return add_descriptor(SKEP_TRY(open_pty_master(file_flags(flags), false)),
                          flags & kOCloseOnExec);
}
Returns open(Arguments a) {
    const std::uint64_t arguments[] = {kCwd, a[0], a[1], a[2]};
    return openat(arguments);
}

// --- stat ---

Returns fstat(Arguments a) {
    return done(put_stat(a[1], SKEP_TRY(stat_of(a[0]))));
}
Returns fstatat(Arguments a) {
    return done(put_stat(a[2], SKEP_TRY(stat_at(a[0], a[1], static_cast<std::uint32_t>(a[3])))));
}

Returns statfs(Arguments a) {
    return done(put_statfs<StatFs>(a[1], *SKEP_TRY(file_system_at(a[0]))));
}
Returns fstatfs(Arguments a) {
    return done(put_statfs<StatFs>(a[1], *SKEP_TRY(file_system_of(a[0]))));
}
Returns getfsstat(Arguments a) {
    return list_file_systems<StatFs>(a[0], a[1]);
}

Returns faccessat(Arguments a) {
    const auto flags = static_cast<std::uint32_t>(a[3]);
    if (a[2] & ~7ull ||
        flags & ~(kAtEffectiveAccess | kAtSymlinkNofollow | kAtResolveBeneath | kAtEmptyPath))
        return fail(Errno::Inval);
    const PlaceArgument place = SKEP_TRY(place_argument(a[0], a[1]));
    return done(check_path_access(actor(), place, static_cast<std::uint32_t>(a[2]),
                                  !(flags & kAtSymlinkNofollow)));
}
Returns access(Arguments a) {
    const std::uint64_t arguments[] = {kCwd, a[0], a[1], 0};
    return faccessat(arguments);
}

Returns readlinkat(Arguments a) {
    if (static_cast<std::int64_t>(a[3]) < 0)
        return fail(Errno::Inval);
    const PlaceArgument place = SKEP_TRY(place_argument(a[0], a[1]));
    return read_link(*SKEP_TRY(find_vnode(actor(), place, false)), a[2], a[3]);
}
Returns readlink(Arguments a) {
    const std::uint64_t arguments[] = {kCwd, a[0], a[1], a[2]};
    return readlinkat(arguments);
}

// --- directories ---

class RecordBuffer final : public DirectorySink {
  public:
    explicit RecordBuffer(std::span<std::byte> room) : room_(room) {}
    bool add(const DirectoryEntry& entry) override {
        const std::size_t size =
            (sizeof(DirectoryRecord) + entry.name.size() + 1 + 7) & ~std::size_t{7};
        if (size > room_.size() - used_) {
            too_small_ = used_ == 0;
            return false;
        }
        const DirectoryRecord record{
            .inode = entry.inode,
            .next = static_cast<std::int64_t>(entry.next),
            .size = static_cast<std::uint16_t>(size),
            .type = static_cast<std::uint8_t>(mode_of(entry.type) >> 12),  // DT_*
            .padding = 0,
            .name_size = static_cast<std::uint16_t>(entry.name.size()),
            .padding2 = 0};
        std::byte* to = room_.data() + used_;
        std::memset(to, 0, size);
        std::memcpy(to, &record, sizeof record);
        std::memcpy(to + sizeof record, entry.name.data(), entry.name.size());
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

Returns getdirentries(Arguments a) {
    return read_entries<RecordBuffer>(a);
}

Returns mkdirat(Arguments a) {
    return done(make_directory(actor(), SKEP_TRY(place_argument(a[0], a[1])),
                               static_cast<std::uint32_t>(a[2]) & kModePermissions));
}
Returns mkdir(Arguments a) {
    const std::uint64_t arguments[] = {kCwd, a[0], a[1]};
    return mkdirat(arguments);
}

Returns unlinkat(Arguments a) {
    if (a[2] & ~std::uint64_t{kAtRemoveDir | kAtResolveBeneath})
        return fail(Errno::Inval);
    const PlaceArgument place = SKEP_TRY(place_argument(a[0], a[1]));
    if (a[2] & kAtRemoveDir)
        return done(remove_directory(actor(), place));
    const Result<> removed = remove_name(actor(), place);
    if (!removed && removed.error() == Errno::IsDir)
        return fail(Errno::Perm);  // unlink(2)
    return done(removed);
}
Returns funlinkat(Arguments a) {
    const std::uint64_t arguments[] = {a[0], a[1], a[3]};
    return unlinkat(arguments);
}
Returns unlink(Arguments a) {
    const std::uint64_t arguments[] = {kCwd, a[0], 0};
    return unlinkat(arguments);
}
Returns rmdir(Arguments a) {
    const std::uint64_t arguments[] = {kCwd, a[0], kAtRemoveDir};
    return unlinkat(arguments);
}

Returns renameat(Arguments a) {
    const PlaceArgument from = SKEP_TRY(place_argument(a[0], a[1])),
                        to = SKEP_TRY(place_argument(a[2], a[3]));
    return done(rename_path(actor(), from, to, RenameHow::Replace));
}
Returns rename(Arguments a) {
    const std::uint64_t arguments[] = {kCwd, a[0], kCwd, a[1]};
    return renameat(arguments);
}

Returns linkat(Arguments a) {
    const auto flags = static_cast<std::uint32_t>(a[4]);
    if (flags & ~(kAtSymlinkFollow | kAtResolveBeneath | kAtEmptyPath))
        return fail(Errno::Inval);
    const PlaceArgument from = SKEP_TRY(place_argument(a[0], a[1])),
                        to = SKEP_TRY(place_argument(a[2], a[3]));
    return done(make_link(actor(), from, flags & kAtSymlinkFollow, to));
}
Returns link(Arguments a) {
    const std::uint64_t arguments[] = {kCwd, a[0], kCwd, a[1], kAtSymlinkFollow};
    return linkat(arguments);
}

Returns symlinkat(Arguments a) {
    const PathArgument target = SKEP_TRY(PathArgument::copy(a[0]));
    return done(make_symlink(actor(), target.view(), SKEP_TRY(place_argument(a[1], a[2]))));
}
Returns symlink(Arguments a) {
    const std::uint64_t arguments[] = {a[0], kCwd, a[1]};
    return symlinkat(arguments);
}

Returns mkfifoat(Arguments a) {
    return done(make_node(actor(), SKEP_TRY(place_argument(a[0], a[1])), VnodeType::Fifo,
                          static_cast<std::uint32_t>(a[2]) & kModePermissions, 0));
}
Returns mkfifo(Arguments a) {
    const std::uint64_t arguments[] = {kCwd, a[0], a[1]};
    return mkfifoat(arguments);
}
Returns mknodat(Arguments a) {
    const auto mode = static_cast<std::uint32_t>(a[2]);
    const PlaceArgument place = SKEP_TRY(place_argument(a[0], a[1]));
    for (const VnodeType type : {VnodeType::CharDevice, VnodeType::BlockDevice, VnodeType::Fifo})
        if (mode_of(type) == (mode & kModeTypeMask))
            return done(make_node(actor(), place, type, mode & kModePermissions,
                                  type == VnodeType::Fifo ? 0 : decode_device(a[3])));
    return fail(Errno::Inval);
}

// --- attributes ---

Returns fchmod(Arguments a) {
    return done(change_mode(actor(), *SKEP_TRY(vnode_of(a[0])),
                            static_cast<std::uint32_t>(a[1]) & kModePermissions));
}
Returns fchmodat(Arguments a) {
    if (a[3] & ~std::uint64_t{kAtSymlinkNofollow | kAtResolveBeneath | kAtEmptyPath})
        return fail(Errno::Inval);
    const PlaceArgument place = SKEP_TRY(place_argument(a[0], a[1]));
    return done(change_mode(actor(),
                            *SKEP_TRY(find_vnode(actor(), place, !(a[3] & kAtSymlinkNofollow))),
                            static_cast<std::uint32_t>(a[2]) & kModePermissions));
}
Returns chmod(Arguments a) {
    const std::uint64_t arguments[] = {kCwd, a[0], a[1], 0};
    return fchmodat(arguments);
}
Returns lchmod(Arguments a) {
    const std::uint64_t arguments[] = {kCwd, a[0], a[1], kAtSymlinkNofollow};
    return fchmodat(arguments);
}

std::optional<std::uint32_t> owner_argument(std::uint64_t id) {
    const auto value = static_cast<std::uint32_t>(id);
    return value == ~0u ? std::nullopt : std::optional(value);
}
Returns fchown(Arguments a) {
    return done(change_owner(actor(), *SKEP_TRY(vnode_of(a[0])), owner_argument(a[1]),
                             owner_argument(a[2])));
}
Returns fchownat(Arguments a) {
    if (a[4] & ~std::uint64_t{kAtSymlinkNofollow | kAtResolveBeneath | kAtEmptyPath})
        return fail(Errno::Inval);
    const PlaceArgument place = SKEP_TRY(place_argument(a[0], a[1]));
    return done(change_owner(actor(),
                             *SKEP_TRY(find_vnode(actor(), place, !(a[4] & kAtSymlinkNofollow))),
                             owner_argument(a[2]), owner_argument(a[3])));
}
Returns chown(Arguments a) {
    const std::uint64_t arguments[] = {kCwd, a[0], a[1], a[2], 0};
    return fchownat(arguments);
}
Returns lchown(Arguments a) {
    const std::uint64_t arguments[] = {kCwd, a[0], a[1], a[2], kAtSymlinkNofollow};
    return fchownat(arguments);
}

// File flags (uchg, nodump...) are not kept; there is nothing to clear.
Returns change_flags(std::uint64_t flags) {
    if (flags)
        return fail(Errno::OpNotSupp);
    return 0;
}
Returns chflags(Arguments a) {
    SKEP_TRY(place_argument(kCwd, a[0]));
    return change_flags(a[1]);
}
Returns fchflags(Arguments a) {
    SKEP_TRY(vnode_of(a[0]));
    return change_flags(a[1]);
}
Returns chflagsat(Arguments a) {
    SKEP_TRY(place_argument(a[0], a[1]));
    return change_flags(a[2]);
}

Result<FileTimes> timespecs_argument(UserAddr from) {
    const FileTime current = realtime_now();
    if (!from)
        return FileTimes{current, current, true};
    struct Pair {
        Timespec accessed, modified;
    };
    const auto pair = SKEP_TRY(copy_in<Pair>(from));
    auto convert = [&](const Timespec& spec) -> Result<std::optional<FileTime>> {
        if (spec.nanoseconds == kTimeNow)
            return current;
        if (spec.nanoseconds == kTimeOmit)
            return std::optional<FileTime>();
        return SKEP_TRY(from_timespec(spec));
    };
    FileTimes times;
    times.accessed = SKEP_TRY(convert(pair.accessed));
    times.modified = SKEP_TRY(convert(pair.modified));
    times.now = pair.accessed.nanoseconds == kTimeNow && pair.modified.nanoseconds == kTimeNow;
    return times;
}

Returns utimensat(Arguments a) {
    if (a[3] & ~std::uint64_t{kAtSymlinkNofollow | kAtResolveBeneath | kAtEmptyPath})
        return fail(Errno::Inval);
    const FileTimes times = SKEP_TRY(timespecs_argument(a[2]));
    const PlaceArgument place = SKEP_TRY(place_argument(a[0], a[1]));
    return done(
        set_file_times(*SKEP_TRY(find_vnode(actor(), place, !(a[3] & kAtSymlinkNofollow))), times));
}
Returns futimens(Arguments a) {
    return done(set_file_times(*SKEP_TRY(vnode_of(a[0])), SKEP_TRY(timespecs_argument(a[1]))));
}
Returns utimes_at(std::uint64_t descriptor, UserAddr path, UserAddr times, bool follow) {
    const PlaceArgument place = SKEP_TRY(place_argument(descriptor, path));
    return done(set_file_times(*SKEP_TRY(find_vnode(actor(), place, follow)),
                               SKEP_TRY(timevals_argument(times))));
}
Returns utimes(Arguments a) {
    return utimes_at(kCwd, a[0], a[1], true);
}
Returns lutimes(Arguments a) {
    return utimes_at(kCwd, a[0], a[1], false);
}
Returns futimesat(Arguments a) {
    return utimes_at(a[0], a[1], a[2], true);
}
Returns futimes(Arguments a) {
    return done(set_file_times(*SKEP_TRY(vnode_of(a[0])), SKEP_TRY(timevals_argument(a[1]))));
}

Returns truncate(Arguments a) {
    if (static_cast<std::int64_t>(a[1]) < 0)
        return fail(Errno::Inval);
    const PlaceArgument place = SKEP_TRY(place_argument(kCwd, a[0]));
    return done(truncate_vnode(actor(), *SKEP_TRY(find_vnode(actor(), place, true)), a[1]));
}

// --- the process's place ---

Returns umask(Arguments a) {
    return current_fs().set_umask(static_cast<std::uint32_t>(a[0]));
}
Returns chdir(Arguments a) {
    const PlaceArgument place = SKEP_TRY(place_argument(kCwd, a[0]));
    return done(change_directory(actor(), SKEP_TRY(find_vnode(actor(), place, true))));
}
Returns fchdir(Arguments a) {
    const Ref<File> file = SKEP_TRY(file_argument(a[0]));
    if (!file->vnode())
        return fail(Errno::NotDir);
    return done(change_directory(actor(), file->vnode()));
}
Returns chroot(Arguments a) {
    const PlaceArgument place = SKEP_TRY(place_argument(kCwd, a[0]));
    Ref<Vnode> root = SKEP_TRY(find_vnode(actor(), place, true));
    if (!root->is_directory())
        return fail(Errno::NotDir);
    if (!current_caller().superuser())
        return fail(Errno::Perm);
    current_fs().set_root(std::move(root));
    return 0;
}

Returns put_path(UserAddr to, std::uint64_t capacity, const Text& path) {
    if (path.view().size() + 1 > capacity)
        return fail(Errno::Range);
    SKEP_TRY(copy_out(to, path.view().data(), path.view().size()));
    SKEP_TRY(copy_out(to + path.view().size(), '\0'));
    return 0;
}
Returns getcwd(Arguments a) {
    return put_path(a[0], static_cast<std::uint32_t>(a[1]),
                    SKEP_TRY(path_of_directory(current_fs(), current_fs().working_directory())));
}

Returns realpathat(Arguments a) {
    if (a[4])
        return fail(Errno::Inval);
    const PlaceArgument place = SKEP_TRY(place_argument(a[0], a[1]));
    Walked walked;
    FsContext& context = current_fs();
    SKEP_TRY(walk_path(context, current_caller(), place.start, place.path.view(), {}, walked));
    const Text path = walked.vnode->is_directory()
                          ? SKEP_TRY(path_of_directory(context, walked.vnode))
                          : SKEP_TRY(path_of(context, walked.directory, walked.name()));
    return put_path(a[2], a[3], path);
}

Returns sync(Arguments) {
    (void)mounts().sync_all();
    return 0;
}

// What has the terminal open keeps it.
Returns revoke(Arguments a) {
    const PlaceArgument place = SKEP_TRY(place_argument(kCwd, a[0]));
    FileStat stat;
    SKEP_TRY(SKEP_TRY(find_vnode(actor(), place, true))->stat(stat));
    if ((stat.mode & kModeTypeMask) != mode_of(VnodeType::CharDevice))
        return fail(Errno::Inval);
    if (stat.user != current_caller().user && !current_caller().superuser())
        return fail(Errno::Perm);
    return 0;
}

Returns no_attributes(Arguments) {
    return fail(Errno::OpNotSupp);
}

constexpr std::string_view kNoFlags = "files have no flags; clearing them succeeds";
constexpr std::string_view kNoLists = "no access control lists";
constexpr std::string_view kNoAttributes = "no extended attributes";

constexpr Syscall kCalls[] = {
    {5, "open", 3, open, SyscallStatus::Partial, "O_SYNC and O_DIRECT have no effect"},
    {9, "link", 2, link},
    {10, "unlink", 1, unlink},
    {12, "chdir", 1, chdir},
    {13, "fchdir", 1, fchdir},
    {15, "chmod", 2, chmod},
    {16, "chown", 3, chown},
    {33, "access", 2, access, SyscallStatus::Partial, "judges by the effective user"},
    {34, "chflags", 2, chflags, SyscallStatus::Partial, kNoFlags},
    {35, "fchflags", 2, fchflags, SyscallStatus::Partial, kNoFlags},
    {36, "sync", 0, sync},
    {56, "revoke", 1, revoke, SyscallStatus::Ignored, "who has the device open keeps it"},
    {57, "symlink", 2, symlink},
    {58, "readlink", 3, readlink},
    {60, "umask", 1, umask},
    {61, "chroot", 1, chroot},
    {123, "fchown", 3, fchown},
    {124, "fchmod", 2, fchmod},
    {128, "rename", 2, rename},
    {132, "mkfifo", 2, mkfifo},
    {136, "mkdir", 2, mkdir},
    {137, "rmdir", 1, rmdir},
    {138, "utimes", 2, utimes},
    {206, "futimes", 2, futimes},
    {254, "lchown", 3, lchown},
    {274, "lchmod", 2, lchmod},
    {276, "lutimes", 2, lutimes},
    {326, "__getcwd", 2, getcwd},
    {347, "__acl_get_file", 3, no_attributes, SyscallStatus::Partial, kNoLists},
    {348, "__acl_set_file", 3, no_attributes, SyscallStatus::Partial, kNoLists},
    {349, "__acl_get_fd", 3, no_attributes, SyscallStatus::Partial, kNoLists},
    {350, "__acl_set_fd", 3, no_attributes, SyscallStatus::Partial, kNoLists},
    {351, "__acl_delete_file", 2, no_attributes, SyscallStatus::Partial, kNoLists},
    {352, "__acl_delete_fd", 2, no_attributes, SyscallStatus::Partial, kNoLists},
    {353, "__acl_aclcheck_file", 3, no_attributes, SyscallStatus::Partial, kNoLists},
    {354, "__acl_aclcheck_fd", 3, no_attributes, SyscallStatus::Partial, kNoLists},
    {356, "extattr_set_file", 5, no_attributes, SyscallStatus::Partial, kNoAttributes},
    {357, "extattr_get_file", 5, no_attributes, SyscallStatus::Partial, kNoAttributes},
    {358, "extattr_delete_file", 3, no_attributes, SyscallStatus::Partial, kNoAttributes},
    {371, "extattr_set_fd", 5, no_attributes, SyscallStatus::Partial, kNoAttributes},
    {372, "extattr_get_fd", 5, no_attributes, SyscallStatus::Partial, kNoAttributes},
    {373, "extattr_delete_fd", 3, no_attributes, SyscallStatus::Partial, kNoAttributes},
    {376, "eaccess", 2, access},
    {391, "lchflags", 2, chflags, SyscallStatus::Partial, kNoFlags},
    {412, "extattr_set_link", 5, no_attributes, SyscallStatus::Partial, kNoAttributes},
    {413, "extattr_get_link", 5, no_attributes, SyscallStatus::Partial, kNoAttributes},
    {414, "extattr_delete_link", 3, no_attributes, SyscallStatus::Partial, kNoAttributes},
    {425, "__acl_get_link", 3, no_attributes, SyscallStatus::Partial, kNoLists},
    {426, "__acl_set_link", 3, no_attributes, SyscallStatus::Partial, kNoLists},
    {427, "__acl_delete_link", 2, no_attributes, SyscallStatus::Partial, kNoLists},
    {428, "__acl_aclcheck_link", 3, no_attributes, SyscallStatus::Partial, kNoLists},
    {437, "extattr_list_fd", 4, no_attributes, SyscallStatus::Partial, kNoAttributes},
    {438, "extattr_list_file", 4, no_attributes, SyscallStatus::Partial, kNoAttributes},
    {439, "extattr_list_link", 4, no_attributes, SyscallStatus::Partial, kNoAttributes},
    {479, "truncate", 2, truncate},
    {489, "faccessat", 4, faccessat, SyscallStatus::Partial, "judges by the effective user"},
    {490, "fchmodat", 4, fchmodat},
    {491, "fchownat", 5, fchownat},
    {494, "futimesat", 3, futimesat},
    {495, "linkat", 5, linkat},
    {496, "mkdirat", 3, mkdirat},
    {497, "mkfifoat", 3, mkfifoat},
    {499, "openat", 4, openat, SyscallStatus::Partial, "O_SYNC and O_DIRECT have no effect"},
    {500, "readlinkat", 4, readlinkat},
    {501, "renameat", 4, renameat},
    {502, "symlinkat", 3, symlinkat},
    {503, "unlinkat", 3, unlinkat},
    {504, "posix_openpt", 1, posix_openpt},
    {540, "chflagsat", 4, chflagsat, SyscallStatus::Partial, kNoFlags},
    {546, "futimens", 2, futimens},
    {547, "utimensat", 4, utimensat},
    {551, "fstat", 2, fstat},
    {552, "fstatat", 4, fstatat},
    {554, "getdirentries", 4, getdirentries},
    {555, "statfs", 2, statfs},
    {556, "fstatfs", 2, fstatfs},
    {557, "getfsstat", 3, getfsstat},
    {559, "mknodat", 4, mknodat},
    {568, "funlinkat", 4, funlinkat, SyscallStatus::Partial, "does not compare the descriptor"},
    {574, "__realpathat", 5, realpathat},
};

}  // namespace

const std::span<const Syscall> path_calls = kCalls;

}  // namespace skep::kernel::freebsd_abi
