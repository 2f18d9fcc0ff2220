// Mounting: sys/mount.h. nmount(2) takes pairs of names and values; mount(8) knows no other.
#include <kernel/abi/arguments.hpp>
#include <kernel/abi/freebsd/tables.hpp>
#include <kernel/abi/mounts.hpp>
#include <kernel/vfs/file_system.hpp>

#include <algorithm>
#include <charconv>

namespace skep::kernel::freebsd_abi {

namespace {

using namespace abi;

constexpr std::uint64_t kUpdate = 0x1'0000, kByFileSystemId = 0x800'0000;
constexpr std::uint64_t kCwd = static_cast<std::uint64_t>(kAtFdCwd);

// FreeBSD's names of what there is here. "procfs" is the one that Linux programs know.
std::string_view our_type(std::string_view type) {
    if (type == "devfs")
        return "devtmpfs";
    if (type == "procfs" || type == "linprocfs")
        return "proc";
    return type;
}

// Nothing of a mounted file system can be changed, so that an update changes nothing.
Returns mount_at(std::string_view type, UserAddr path, std::string_view from, std::uint64_t flags) {
    Ref<Vnode> on = SKEP_TRY(mount_point_argument(SKEP_TRY(place_argument(kCwd, path))));
    if (flags & kUpdate)
        return 0;
    return done(mount_file_system(our_type(type), std::move(on), from.empty() ? type : from));
}

// A value of nmount's: text with its NUL, which may be missing.
class Option {
  public:
    Result<> copy(const IoSegment& from) {
        if (from.size > sizeof text_)
            return fail(Errno::NameTooLong);
        SKEP_TRY(copy_in(text_, from.base, from.size));
        size_ = static_cast<std::size_t>(std::find(text_, text_ + from.size, '\0') - text_);
        return {};
    }
    std::string_view view() const { return {text_, size_}; }

  private:
    char text_[128];
    std::size_t size_ = 0;
};

Returns nmount(Arguments a) {
    constexpr std::uint64_t kMost = 64;
    const std::uint64_t count = static_cast<std::uint32_t>(a[1]);
    if (count < 4 || count > kMost || count % 2)
        return fail(Errno::Inval);
    Option type, from;
    UserAddr path = 0;
    for (std::uint64_t i = 0; i < count; i += 2) {
        const UserAddr at = a[0] + i * sizeof(IoSegment);
        const IoSegment segments[] = {SKEP_TRY(copy_in<IoSegment>(at)),
                                      SKEP_TRY(copy_in<IoSegment>(at + sizeof(IoSegment)))};
        Option name;
        SKEP_TRY(name.copy(segments[0]));
        if (name.view() == "fstype")
            SKEP_TRY(type.copy(segments[1]));
        else if (name.view() == "fspath")
            path = segments[1].base;
        else if (name.view() == "from")
            SKEP_TRY(from.copy(segments[1]));
    }
    if (!path || type.view().empty())
        return fail(Errno::Inval);
    return mount_at(type.view(), path, from.view(), a[2]);
}

Returns mount(Arguments a) {
    const PathArgument type = SKEP_TRY(PathArgument::copy(a[0]));
    return mount_at(type.view(), a[1], {}, a[2]);
}

// "FSID:A:B", of statfs(2): so umount(8) names what it means.
Result<Ref<FileSystem>> by_id(std::string_view text) {
    constexpr std::string_view kPrefix = "FSID:";
    if (!text.starts_with(kPrefix))
        return fail(Errno::Inval);
    std::int32_t id = 0;
    const char* end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data() + kPrefix.size(), end, id);
    if (error != std::errc() || rest == end || *rest != ':')
        return fail(Errno::Inval);
    for (Ref<FileSystem> each = mounts().next(nullptr); each; each = mounts().next(each.get())) {
        FileSystemStat stat;
        SKEP_TRY(each->stat(stat));
        if (static_cast<std::int32_t>(stat.id) == id)
            return each;
    }
    return fail(Errno::NoEnt);
}

Returns unmount(Arguments a) {
    if (!(a[1] & kByFileSystemId))
        return done(unmount_file_system(SKEP_TRY(place_argument(kCwd, a[0]))));
    const PathArgument text = SKEP_TRY(PathArgument::copy(a[0]));
    if (!current_caller().superuser())
        return fail(Errno::Perm);
    return done(mounts().unmount(*SKEP_TRY(by_id(text.view()))->root()));
}

constexpr std::string_view kTypes =
    "tmpfs, linprocfs (procfs is the same); no options, an update changes nothing";

constexpr Syscall kCalls[] = {
    {21, "mount", 4, mount, SyscallStatus::Partial, kTypes},
    {22, "unmount", 2, unmount, SyscallStatus::Partial, "open files live on"},
    {378, "nmount", 3, nmount, SyscallStatus::Partial, kTypes},
};

}  // namespace

const std::span<const Syscall> mount_calls = kCalls;

}  // namespace skep::kernel::freebsd_abi
