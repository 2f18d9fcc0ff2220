// POSIX shared memory: sys/mman.h, SHM_*. Objects are files of a tmpfs that is not mounted; a name
// is opaque, though it begins with a slash.
#include <kernel/abi/arguments.hpp>
#include <kernel/abi/file_service.hpp>
#include <kernel/abi/freebsd/file_types.hpp>
#include <kernel/abi/freebsd/tables.hpp>

#include <algorithm>

namespace skep::kernel::freebsd_abi {

namespace {

using namespace abi;

constexpr UserAddr kAnonymous = 1;  // SHM_ANON

// A name as one component of a path.
class ObjectName {
  public:
    static Result<ObjectName> copy(UserAddr from) {
        ObjectName name;
        name.text_ = SKEP_TRY(PathArgument::copy(from));
        const std::string_view given = name.text_.view();
        if (!given.starts_with('/'))
            return fail(Errno::Inval);
        if (given.size() >= sizeof name.component_)
            return fail(Errno::NameTooLong);
        std::ranges::replace_copy(given, name.component_, '/', '\1');
        name.directory_ = SKEP_TRY(memory_directory());
        return name;
    }
    Place place() const { return {directory_, {component_, text_.view().size()}}; }

  private:
    static constexpr std::size_t kLongest = 255;
    PathArgument text_;
    char component_[kLongest + 1];
    Ref<Vnode> directory_;
};

Returns open_object(UserAddr path, std::uint32_t flags, std::uint64_t mode, bool close_on_exec) {
    constexpr std::uint32_t kMay =
                                kOAccessMode | kOCreate | kOExclusive | kOTruncate | kOCloseOnExec,
                            kWriteOnly = 1;
    const std::uint32_t access = flags & kOAccessMode;
    if (flags & ~kMay || access == kWriteOnly || access == kOAccessMode)
        return fail(Errno::Inval);
    if (path == kAnonymous) {
        if (access == 0)
            return fail(Errno::Inval);
        return add_descriptor(SKEP_TRY(open_memory_file("shm")), close_on_exec);
    }
    const ObjectName name = SKEP_TRY(ObjectName::copy(path));
    const OpenHow how{.flags = file_flags(flags & kOAccessMode),
                      .create = (flags & kOCreate) != 0,
                      .exclusive = (flags & kOExclusive) != 0,
                      .truncate = (flags & kOTruncate) != 0,
                      .permissions = static_cast<std::uint32_t>(mode) & kModePermissions};
    return add_descriptor(SKEP_TRY(open_file(actor(), name.place(), how)), close_on_exec);
}

Returns old_shm_open(Arguments a) {
    return open_object(a[0], static_cast<std::uint32_t>(a[1]), a[2], true);
}

Returns shm_open2(Arguments a) {
    enum : std::uint64_t {
        AllowSealing = 1,
        GrowOnWrite = 2,
        LargePage = 4
    };
    if (a[3] & LargePage)
        return fail(Errno::OpNotSupp);
    if (a[3] & ~std::uint64_t{AllowSealing | GrowOnWrite})
        return fail(Errno::Inval);
    return open_object(a[0], static_cast<std::uint32_t>(a[1]), a[2], a[1] & kOCloseOnExec);
}

Returns shm_unlink(Arguments a) {
    const ObjectName name = SKEP_TRY(ObjectName::copy(a[0]));
    return done(remove_name(actor(), name.place()));
}

Returns shm_rename(Arguments a) {
    constexpr std::uint64_t kNoReplace = 1, kExchange = 2;
    const ObjectName from = SKEP_TRY(ObjectName::copy(a[0])), to = SKEP_TRY(ObjectName::copy(a[1]));
    switch (a[2]) {
        case 0:
            return done(rename_path(actor(), from.place(), to.place(), RenameHow::Replace));
        case kNoReplace:
            return done(rename_path(actor(), from.place(), to.place(), RenameHow::NoReplace));
        case kExchange:
            return done(rename_path(actor(), from.place(), to.place(), RenameHow::Exchange));
        default:
            return fail(Errno::Inval);
    }
}

constexpr Syscall kCalls[] = {
    {482, "freebsd12_shm_open", 3, old_shm_open},
    {483, "shm_unlink", 1, shm_unlink},
    {571, "shm_open2", 5, shm_open2, SyscallStatus::Partial, "no seals, no large pages"},
    {572, "shm_rename", 3, shm_rename},
};

}  // namespace

const std::span<const Syscall> shared_memory_calls = kCalls;

}  // namespace skep::kernel::freebsd_abi
