// What system calls do with paths: permissions checked, the caller's root, directory and umask
// observed. `start` is where a relative path begins. Both personalities call these.
#pragma once

#include <kernel/vfs/file.hpp>
#include <kernel/vfs/path.hpp>

namespace skep::kernel {

// The acting process.
struct Actor {
    FsContext& fs;
    Caller caller;
};

struct Place {
    const Ref<Vnode>& start;
    std::string_view path;
};

struct OpenHow {
    std::uint32_t flags = kOpenRead;  // File's: read, write, nonblock, append, path
    bool create = false, exclusive = false, truncate = false, directory = false;
    bool no_controlling_tty = false;
    std::uint32_t permissions = 0;
    WalkHow walk = {};
};

Result<Ref<File>> open_file(const Actor&, Place, const OpenHow&);
// An unnamed regular file in the directory's file system (O_TMPFILE).
Result<Ref<File>> open_unnamed(const Actor&, Place, const OpenHow&);

Result<Ref<Vnode>> find_vnode(const Actor&, Place, bool follow);
Result<> check_path_access(const Actor&, Place, std::uint32_t wanted, bool follow);
Result<> make_directory(const Actor&, Place, std::uint32_t permissions);
Result<> make_node(const Actor&, Place, VnodeType, std::uint32_t permissions,
                   std::uint64_t device_number);
// -> the new vnode (bind of a Unix socket).
Result<Ref<Vnode>> create_node(const Actor&, Place, const NewFile&);
Result<> make_link(const Actor&, Place from, bool follow, Place to);
Result<> link_vnode(const Actor&, Vnode&, Place to);
Result<> make_symlink(const Actor&, std::string_view target, Place);
Result<> remove_name(const Actor&, Place);
Result<> remove_directory(const Actor&, Place);
Result<> rename_path(const Actor&, Place from, Place to, RenameHow);

// Ownership is checked: Perm.
Result<> change_mode(const Actor&, Vnode&, std::uint32_t permissions);
Result<> change_owner(const Actor&, Vnode&, std::optional<std::uint32_t> user,
                      std::optional<std::uint32_t> group);
// `now`: both times are the current one, which writers may set too.
Result<> change_times(const Actor&, Vnode&, std::optional<FileTime> accessed,
                      std::optional<FileTime> modified, bool now);
Result<> truncate_vnode(const Actor&, Vnode&, std::uint64_t size);
Result<> change_directory(const Actor&, Ref<Vnode>);

}  // namespace skep::kernel
