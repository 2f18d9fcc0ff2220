// Linux calls on what stat tells of a file, and on changing it.
#include <kernel/abi/file_service.hpp>
#include <kernel/abi/linux/arguments.hpp>
#include <kernel/abi/syscall.hpp>
#include <kernel/sched/clock.hpp>
#include <kernel/vfs/device.hpp>

#include <optional>

namespace skep::kernel::linux_abi {

namespace {

using Value = Result<std::uint64_t>;

// --- stat ---

Result<> put_stat(UserAddr to, const FileStat& from) {
    Stat stat{};
    stat.device = encode_device(from.device);
    stat.inode = from.inode;
    stat.links = from.links;
    stat.mode = from.mode;
    stat.user = from.user;
    stat.group = from.group;
    stat.device_number = encode_device(from.device_number);
    stat.size = static_cast<std::int64_t>(from.size);
    stat.block_size = from.block_size;
    stat.blocks = static_cast<std::int64_t>(from.blocks);
    stat.accessed = to_timespec(from.accessed);
    stat.modified = to_timespec(from.modified);
    stat.changed = to_timespec(from.changed);
    return copy_out(to, stat);
}

StatxTime to_statx(FileTime time) {
    const Timespec spec = to_timespec(time);
    return {spec.seconds, static_cast<std::uint32_t>(spec.nanoseconds), 0};
}

Result<> put_statx(UserAddr to, const FileStat& from) {
    Statx stat{};
    stat.mask = kStatxBasic | kStatxCreated;
    stat.block_size = from.block_size;
    stat.links = from.links;
    stat.user = from.user;
    stat.group = from.group;
    stat.mode = static_cast<std::uint16_t>(from.mode);
    stat.inode = from.inode;
    stat.size = from.size;
    stat.blocks = from.blocks;
    stat.accessed = to_statx(from.accessed);
    stat.created = to_statx(from.created);
    stat.changed = to_statx(from.changed);
    stat.modified = to_statx(from.modified);
    stat.node_major = device_major(from.device_number);
    stat.node_minor = device_minor(from.device_number);
    stat.device_major = device_major(from.device);
    stat.device_minor = device_minor(from.device);
    return copy_out(to, stat);
}

// (descriptor, path, flags) of the *at calls that take AT_EMPTY_PATH.
Result<FileStat> stat_at(std::uint64_t descriptor, UserAddr path, std::uint32_t flags) {
    if (flags & ~(kAtSymlinkNofollow | kAtNoAutomount | kAtEmptyPath | kAtStatxSync))
        return fail(Errno::Inval);
    FileStat stat;
    const bool null_path = (flags & kAtEmptyPath) && path == 0;
    PathArgument text;
    if (!null_path)
        text = SKEP_TRY(PathArgument::copy(path));
    if ((flags & kAtEmptyPath) && text.view().empty()) {
        if (static_cast<int>(descriptor) == kAtFdCwd)
            SKEP_TRY(current_fs().working_directory()->stat(stat));
        else
            SKEP_TRY(SKEP_TRY(file_argument(descriptor))->stat(stat));
        return stat;
    }
    const Ref<Vnode> start = SKEP_TRY(start_argument(descriptor, text.view()));
    Ref<Vnode> vnode =
        SKEP_TRY(find_vnode(actor(), {start, text.view()}, !(flags & kAtSymlinkNofollow)));
    SKEP_TRY(vnode->stat(stat));
    return stat;
}

Value stat(const std::uint64_t* a) {
    SKEP_TRY(put_stat(a[1], SKEP_TRY(stat_at(kCwd, a[0], 0))));
    return 0;
}
Value lstat(const std::uint64_t* a) {
    SKEP_TRY(put_stat(a[1], SKEP_TRY(stat_at(kCwd, a[0], kAtSymlinkNofollow))));
    return 0;
}
Value fstat(const std::uint64_t* a) {
    FileStat stat;
    SKEP_TRY(SKEP_TRY(file_argument(a[0]))->stat(stat));
    SKEP_TRY(put_stat(a[1], stat));
    return 0;
}
Value newfstatat(const std::uint64_t* a) {
    SKEP_TRY(put_stat(a[2], SKEP_TRY(stat_at(a[0], a[1], static_cast<std::uint32_t>(a[3])))));
    return 0;
}
Value statx(const std::uint64_t* a) {
    SKEP_TRY(put_statx(a[4], SKEP_TRY(stat_at(a[0], a[1], static_cast<std::uint32_t>(a[2])))));
    return 0;
}

// --- attributes ---

Result<Ref<Vnode>> vnode_of(std::uint64_t descriptor) {
    Ref<File> file = SKEP_TRY(file_argument(descriptor));
    if (!file->vnode())
        return fail(Errno::Inval);
    return file->vnode();
}

Value fchmod(const std::uint64_t* a) {
    SKEP_TRY(change_mode(actor(), *SKEP_TRY(vnode_of(a[0])), static_cast<std::uint32_t>(a[1])));
    return 0;
}
Value fchmodat(const std::uint64_t* a) {
    const PlaceArgument place = SKEP_TRY(place_argument(a[0], a[1]));
    SKEP_TRY(change_mode(actor(), *SKEP_TRY(find_vnode(actor(), place, true)),
                         static_cast<std::uint32_t>(a[2])));
    return 0;
}
Value chmod(const std::uint64_t* a) {
    const std::uint64_t arguments[] = {kCwd, a[0], a[1]};
    return fchmodat(arguments);
}

std::optional<std::uint32_t> id_argument(std::uint64_t id) {
    const auto value = static_cast<std::uint32_t>(id);
    return value == ~0u ? std::nullopt : std::optional(value);
}

Value fchown(const std::uint64_t* a) {
    SKEP_TRY(
        change_owner(actor(), *SKEP_TRY(vnode_of(a[0])), id_argument(a[1]), id_argument(a[2])));
    return 0;
}
Value fchownat(const std::uint64_t* a) {
    if (a[4] & ~std::uint64_t{kAtSymlinkNofollow | kAtEmptyPath})
        return fail(Errno::Inval);
    const PlaceArgument place = SKEP_TRY(place_argument(a[0], a[1]));
    if ((a[4] & kAtEmptyPath) && place.path.view().empty()) {
        const std::uint64_t arguments[] = {a[0], a[2], a[3]};
        return fchown(arguments);
    }
    SKEP_TRY(change_owner(actor(),
                          *SKEP_TRY(find_vnode(actor(), place, !(a[4] & kAtSymlinkNofollow))),
                          id_argument(a[2]), id_argument(a[3])));
    return 0;
}
Value chown(const std::uint64_t* a) {
    const std::uint64_t arguments[] = {kCwd, a[0], a[1], a[2], 0};
    return fchownat(arguments);
}
Value lchown(const std::uint64_t* a) {
    const std::uint64_t arguments[] = {kCwd, a[0], a[1], a[2], kAtSymlinkNofollow};
    return fchownat(arguments);
}

Result<FileTimes> times_argument(UserAddr from) {
    constexpr std::int64_t kNow = 0x3fffffff, kOmit = 0x3ffffffe;
    const FileTime current = realtime_now();
    if (!from)
        return FileTimes{current, current, true};
    struct Pair {
        Timespec accessed, modified;
    };
    const auto pair = SKEP_TRY(copy_in<Pair>(from));
    FileTimes times;
    auto convert = [&](const Timespec& spec) -> Result<std::optional<FileTime>> {
        if (spec.nanoseconds == kNow)
            return current;
        if (spec.nanoseconds == kOmit)
            return std::optional<FileTime>();
        return SKEP_TRY(from_timespec(spec));
    };
    times.accessed = SKEP_TRY(convert(pair.accessed));
    times.modified = SKEP_TRY(convert(pair.modified));
    times.now = pair.accessed.nanoseconds == kNow && pair.modified.nanoseconds == kNow;
    return times;
}

Value set_times(std::uint64_t descriptor, UserAddr path, const FileTimes& times,
                std::uint32_t flags) {
    if (flags & ~(kAtSymlinkNofollow | kAtEmptyPath))
        return fail(Errno::Inval);
    Ref<Vnode> vnode;
    if (path == 0) {
        vnode = SKEP_TRY(vnode_of(descriptor));
    } else {
        const PlaceArgument place = SKEP_TRY(place_argument(descriptor, path));
        if ((flags & kAtEmptyPath) && place.path.view().empty())
            vnode = SKEP_TRY(vnode_of(descriptor));
        else
            vnode = SKEP_TRY(find_vnode(actor(), place, !(flags & kAtSymlinkNofollow)));
    }
    SKEP_TRY(set_file_times(*vnode, times));
    return 0;
}

Value utimensat(const std::uint64_t* a) {
    return set_times(a[0], a[1], SKEP_TRY(times_argument(a[2])), static_cast<std::uint32_t>(a[3]));
}

Value utimes_at(std::uint64_t descriptor, UserAddr path, UserAddr from) {
    return set_times(descriptor, path, SKEP_TRY(timevals_argument(from)), 0);
}
Value futimesat(const std::uint64_t* a) {
    return utimes_at(a[0], a[1], a[2]);
}
Value utimes(const std::uint64_t* a) {
    return utimes_at(kCwd, a[0], a[1]);
}

Value utime(const std::uint64_t* a) {
    if (!a[1])
        return set_times(kCwd, a[0], SKEP_TRY(times_argument(0)), 0);
    struct Pair {
        std::int64_t accessed, modified;
    };
    const auto pair = SKEP_TRY(copy_in<Pair>(a[1]));
    FileTimes times;
    times.accessed = SKEP_TRY(from_timespec({pair.accessed, 0}));
    times.modified = SKEP_TRY(from_timespec({pair.modified, 0}));
    return set_times(kCwd, a[0], times, 0);
}

Value truncate(const std::uint64_t* a) {
    if (static_cast<std::int64_t>(a[1]) < 0)
        return fail(Errno::Inval);
    const PlaceArgument place = SKEP_TRY(place_argument(kCwd, a[0]));
    SKEP_TRY(truncate_vnode(actor(), *SKEP_TRY(find_vnode(actor(), place, true)), a[1]));
    return 0;
}

// Files have no extended attributes.
Value no_attributes(const std::uint64_t*) {
    return fail(Errno::OpNotSupp);
}

constexpr Syscall kTable[] = {
    {4, "stat", 2, stat},
    {5, "fstat", 2, fstat},
    {6, "lstat", 2, lstat},
    {76, "truncate", 2, truncate},
    {90, "chmod", 2, chmod},
    {91, "fchmod", 2, fchmod},
    {92, "chown", 3, chown},
    {93, "fchown", 3, fchown},
    {94, "lchown", 3, lchown},
    {132, "utime", 2, utime},
    {188, "setxattr", 5, no_attributes, SyscallStatus::Partial, "no extended attributes"},
    {189, "lsetxattr", 5, no_attributes, SyscallStatus::Partial, "no extended attributes"},
    {190, "fsetxattr", 5, no_attributes, SyscallStatus::Partial, "no extended attributes"},
    {191, "getxattr", 4, no_attributes, SyscallStatus::Partial, "no extended attributes"},
    {192, "lgetxattr", 4, no_attributes, SyscallStatus::Partial, "no extended attributes"},
    {193, "fgetxattr", 4, no_attributes, SyscallStatus::Partial, "no extended attributes"},
    {194, "listxattr", 3, no_attributes, SyscallStatus::Partial, "no extended attributes"},
    {195, "llistxattr", 3, no_attributes, SyscallStatus::Partial, "no extended attributes"},
    {196, "flistxattr", 3, no_attributes, SyscallStatus::Partial, "no extended attributes"},
    {235, "utimes", 2, utimes},
    {260, "fchownat", 5, fchownat},
    {261, "futimesat", 3, futimesat},
    {262, "newfstatat", 4, newfstatat},
    {268, "fchmodat", 3, fchmodat},
    {280, "utimensat", 4, utimensat},
    {332, "statx", 5, statx},
};

}  // namespace

extern const std::span<const Syscall> attribute_calls;
const std::span<const Syscall> attribute_calls = kTable;

}  // namespace skep::kernel::linux_abi
