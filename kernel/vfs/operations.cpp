#include <kernel/vfs/operations.hpp>

#include <kernel/sched/clock.hpp>
#include <kernel/vfs/file_system.hpp>
#include <kernel/vfs/path_file.hpp>

namespace skep::kernel {

namespace {

Result<> check(const Actor& actor, Vnode& vnode, std::uint32_t wanted) {
    FileStat stat;
    SKEP_TRY(vnode.stat(stat));
    return check_access(stat, actor.caller, wanted);
}

// Whether `actor` may remove or rename an entry of `directory`: write access, and where the
// directory is sticky, ownership of either.
Result<> check_entry_change(const Actor& actor, Vnode& directory, Vnode* entry) {
    FileStat stat;
    SKEP_TRY(directory.stat(stat));
    SKEP_TRY(check_access(stat, actor.caller, kAccessWrite | kAccessExecute));
    if (!entry || !(stat.mode & kModeSticky) || actor.caller.superuser() ||
        stat.user == actor.caller.user)
        return {};
    FileStat own;
    SKEP_TRY(entry->stat(own));
    return own.user == actor.caller.user ? Result<>() : fail(Errno::Perm);
}

Result<NewFile> new_file(const Actor& actor, Vnode& directory, VnodeType type,
                         std::uint32_t permissions) {
    FileStat stat;
    SKEP_TRY(directory.stat(stat));
    NewFile what{.type = type,
                 .permissions = permissions & ~actor.fs.umask(),
                 .user = actor.caller.user,
                 .group = actor.caller.group};
    if (stat.mode & kModeSetGroup) {  // files inherit the directory's group
        what.group = stat.group;
        if (type == VnodeType::Directory)
            what.permissions |= kModeSetGroup;
    }
    return what;
}

// The place of a name that is to be made. Exist: there is something.
Result<> walk_to_new(const Actor& actor, Place place, Walked& walked, bool directory) {
    WalkHow how{.follow = false, .may_be_absent = true};
    SKEP_TRY(walk_path(actor.fs, actor.caller, place.start, place.path, how, walked));
    if (walked.vnode || !walked.has_name())
        return fail(Errno::Exist);
    if (walked.must_be_directory && !directory)
        return fail(Errno::NoEnt);
    return check(actor, *walked.directory, kAccessWrite | kAccessExecute);
}

std::uint32_t access_wanted(const OpenHow& how) {
    std::uint32_t wanted = 0;
    if (how.flags & kOpenRead)
        wanted |= kAccessRead;
    if ((how.flags & kOpenWrite) || how.truncate)
        wanted |= kAccessWrite;
    return wanted;
}

}  // namespace

Result<Ref<File>> open_file(const Actor& actor, Place place, const OpenHow& how) {
    Walked walked;
    WalkHow walk = how.walk;
    walk.may_be_absent = how.create;
    if (how.create && how.exclusive)
        walk.follow = false;
    bool created = false;
    for (;;) {
        walked = Walked();
        SKEP_TRY(walk_path(actor.fs, actor.caller, place.start, place.path, walk, walked));
        if (walked.vnode)
            break;
        if (walked.must_be_directory)
            return fail(Errno::IsDir);
        SKEP_TRY(check(actor, *walked.directory, kAccessWrite | kAccessExecute));
        const NewFile what =
            SKEP_TRY(new_file(actor, *walked.directory, VnodeType::Regular, how.permissions));
        auto fresh = walked.directory->create(walked.name(), what);
        if (!fresh && fresh.error() == Errno::Exist && !how.exclusive)
            continue;  // someone else made it meanwhile
        walked.vnode = SKEP_TRY(std::move(fresh));
        created = true;
        break;
    }
    Vnode& vnode = *walked.vnode;
    if (how.create && how.exclusive && !created)
        return fail(Errno::Exist);
    if (how.flags & kOpenPath) {
        if (how.directory && !vnode.is_directory())
            return fail(Errno::NotDir);
        Ref<File> file = SKEP_TRY(make_ref<PathFile>(walked.vnode, how.flags));
        SKEP_TRY(file->set_opened_as(walked.directory, walked.name()));
        return file;
    }
    if (vnode.type() == VnodeType::Symlink)
        return fail(Errno::Loop);  // O_NOFOLLOW
    if (how.directory && !vnode.is_directory())
        return fail(Errno::NotDir);
    if (vnode.is_directory() && ((how.flags & kOpenWrite) || how.truncate || how.create))
        return fail(Errno::IsDir);
    if (!created)
        SKEP_TRY(check(actor, vnode, access_wanted(how)));
    if (how.truncate && !created && vnode.type() == VnodeType::Regular)
        SKEP_TRY(vnode.change({.size = 0}));
    Ref<File> file = SKEP_TRY(vnode.open(how.flags));
    if (file->vnode() == walked.vnode)
        SKEP_TRY(file->set_opened_as(walked.directory, walked.name()));
    return file;
}

Result<Ref<File>> open_unnamed(const Actor& actor, Place place, const OpenHow& how) {
    Ref<Vnode> directory = SKEP_TRY(find_vnode(actor, place, true));
    if (!directory->is_directory())
        return fail(Errno::NotDir);
    SKEP_TRY(check(actor, *directory, kAccessWrite | kAccessExecute));
    const NewFile what = SKEP_TRY(new_file(actor, *directory, VnodeType::Regular, how.permissions));
    Ref<Vnode> vnode = SKEP_TRY(directory->file_system().create_unnamed(what));
    return vnode->open(how.flags);
}

Result<Ref<Vnode>> find_vnode(const Actor& actor, Place place, bool follow) {
    Walked walked;
    WalkHow how{.follow = follow};
    SKEP_TRY(walk_path(actor.fs, actor.caller, place.start, place.path, how, walked));
    return std::move(walked.vnode);
}

Result<> check_path_access(const Actor& actor, Place place, std::uint32_t wanted, bool follow) {
    Ref<Vnode> vnode = SKEP_TRY(find_vnode(actor, place, follow));
    return check(actor, *vnode, wanted);
}

Result<> make_directory(const Actor& actor, Place place, std::uint32_t permissions) {
    Walked walked;
    SKEP_TRY(walk_to_new(actor, place, walked, true));
    const NewFile what =
        SKEP_TRY(new_file(actor, *walked.directory, VnodeType::Directory, permissions));
    SKEP_TRY(walked.directory->create(walked.name(), what));
    return {};
}

Result<> make_node(const Actor& actor, Place place, VnodeType type, std::uint32_t permissions,
                   std::uint64_t device_number) {
    const bool device = type == VnodeType::CharDevice || type == VnodeType::BlockDevice;
    if (device && !actor.caller.superuser())
        return fail(Errno::Perm);
    SKEP_TRY(create_node(
        actor, place, {.type = type, .permissions = permissions, .device_number = device_number}));
    return {};
}

Result<Ref<Vnode>> create_node(const Actor& actor, Place place, const NewFile& wanted) {
    Walked walked;
    SKEP_TRY(walk_to_new(actor, place, walked, false));
    NewFile what = SKEP_TRY(new_file(actor, *walked.directory, wanted.type, wanted.permissions));
    what.device_number = wanted.device_number;
    return walked.directory->create(walked.name(), what);
}

Result<> make_link(const Actor& actor, Place from, bool follow, Place to) {
    Ref<Vnode> vnode = SKEP_TRY(find_vnode(actor, from, follow));
    return link_vnode(actor, *vnode, to);
}

Result<> link_vnode(const Actor& actor, Vnode& vnode, Place to) {
    if (vnode.is_directory())
        return fail(Errno::Perm);
    Walked walked;
    SKEP_TRY(walk_to_new(actor, to, walked, false));
    return walked.directory->link(walked.name(), vnode);
}

Result<> make_symlink(const Actor& actor, std::string_view target, Place place) {
    if (target.empty())
        return fail(Errno::NoEnt);
    Walked walked;
    SKEP_TRY(walk_to_new(actor, place, walked, false));
    NewFile what = SKEP_TRY(new_file(actor, *walked.directory, VnodeType::Symlink, 0));
    what.permissions = 0777;
    what.target = target;
    SKEP_TRY(walked.directory->create(walked.name(), what));
    return {};
}

Result<> remove_name(const Actor& actor, Place place) {
    Walked walked;
    WalkHow how{.follow = false};
    SKEP_TRY(walk_path(actor.fs, actor.caller, place.start, place.path, how, walked));
    if (!walked.has_name())
        return fail(Errno::IsDir);
    SKEP_TRY(check_entry_change(actor, *walked.directory, walked.vnode.get()));
    if (walked.vnode->is_directory())
        return fail(Errno::IsDir);
    return walked.directory->unlink(walked.name());
}

Result<> remove_directory(const Actor& actor, Place place) {
    Walked walked;
    WalkHow how{.follow = false};
    SKEP_TRY(walk_path(actor.fs, actor.caller, place.start, place.path, how, walked));
    if (walked.ends_in_dot)
        return fail(Errno::Inval);
    if (walked.ends_in_dots)
        return fail(Errno::NotEmpty);
    if (!walked.has_name())
        return fail(Errno::Busy);
    if (!walked.vnode->is_directory())
        return fail(Errno::NotDir);
    if (walked.vnode == walked.vnode->file_system().root())
        return fail(Errno::Busy);  // a mount point
    SKEP_TRY(check_entry_change(actor, *walked.directory, walked.vnode.get()));
    return walked.directory->remove_directory(walked.name());
}

Result<> rename_path(const Actor& actor, Place from, Place to, RenameHow rename) {
    Walked source, target;
    WalkHow how{.follow = false};
    SKEP_TRY(walk_path(actor.fs, actor.caller, from.start, from.path, how, source));
    how.may_be_absent = true;
    SKEP_TRY(walk_path(actor.fs, actor.caller, to.start, to.path, how, target));
    if (!source.has_name() || !target.has_name())
        return fail(Errno::Busy);
    if (target.must_be_directory && !source.vnode->is_directory())
        return fail(Errno::NotDir);
    SKEP_TRY(check_entry_change(actor, *source.directory, source.vnode.get()));
    SKEP_TRY(check_entry_change(actor, *target.directory, target.vnode.get()));
    if (&source.directory->file_system() != &target.directory->file_system())
        return fail(Errno::XDev);
    for (const Walked* side : {&source, &target})
        if (side->vnode && side->vnode == side->vnode->file_system().root())
            return fail(Errno::Busy);
    return source.directory->rename(source.name(), *target.directory, target.name(), rename);
}

Result<> change_mode(const Actor& actor, Vnode& vnode, std::uint32_t permissions) {
    FileStat stat;
    SKEP_TRY(vnode.stat(stat));
    if (!actor.caller.superuser() && stat.user != actor.caller.user)
        return fail(Errno::Perm);
    permissions &= kModePermissions;
    if (!actor.caller.superuser() && !vnode.is_directory() && !actor.caller.in_group(stat.group))
        permissions &= ~kModeSetGroup;
    return vnode.change({.permissions = permissions});
}

Result<> change_owner(const Actor& actor, Vnode& vnode, std::optional<std::uint32_t> user,
                      std::optional<std::uint32_t> group) {
    FileStat stat;
    SKEP_TRY(vnode.stat(stat));
    AttributeChange change{.user = user, .group = group};
    if (!actor.caller.superuser()) {
        if (stat.user != actor.caller.user || (user && *user != stat.user) ||
            (group && !actor.caller.in_group(*group)))
            return fail(Errno::Perm);
    }
    if (!vnode.is_directory() && (stat.mode & (kModeSetUser | kModeSetGroup)) && (stat.mode & 0111))
        change.permissions = stat.mode & kModePermissions & ~(kModeSetUser | kModeSetGroup);
    return vnode.change(change);
}

Result<> change_times(const Actor& actor, Vnode& vnode, std::optional<FileTime> accessed,
                      std::optional<FileTime> modified, bool now) {
    FileStat stat;
    SKEP_TRY(vnode.stat(stat));
    if (!actor.caller.superuser() && stat.user != actor.caller.user) {
        if (!now)
            return fail(Errno::Perm);
        SKEP_TRY(check_access(stat, actor.caller, kAccessWrite));
    }
    return vnode.change({.accessed = accessed, .modified = modified});
}

Result<> truncate_vnode(const Actor& actor, Vnode& vnode, std::uint64_t size) {
    if (vnode.is_directory())
        return fail(Errno::IsDir);
    if (vnode.type() != VnodeType::Regular)
        return fail(Errno::Inval);
    SKEP_TRY(check(actor, vnode, kAccessWrite));
    return vnode.change({.size = size});
}

Result<> change_directory(const Actor& actor, Ref<Vnode> directory) {
    if (!directory->is_directory())
        return fail(Errno::NotDir);
    SKEP_TRY(check(actor, *directory, kAccessExecute));
    actor.fs.set_working_directory(std::move(directory));
    return {};
}

}  // namespace skep::kernel
