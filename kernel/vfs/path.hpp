// namei: from a path to a vnode, through symlinks, "..", and mounts.
#pragma once

#include <kernel/base/text.hpp>
#include <kernel/vfs/fs_context.hpp>

#include <array>

namespace skep::kernel {

inline constexpr std::size_t kPathMax = 4096;  // with the NUL
inline constexpr std::size_t kNameMax = 255;
inline constexpr unsigned kSymlinkMax = 40;

struct WalkHow {
    bool follow = true;          // a symlink as the last component
    bool may_be_absent = false;  // the last component need not exist (the vnode is null then)
    bool no_symlinks = false;    // any symlink: Loop (openat2 RESOLVE_NO_SYMLINKS)
    bool no_magic_links = false;
    bool no_mounts = false;  // crossing one: XDev
    bool beneath = false;    // leaving the start: XDev
    bool in_root = false;    // the start is the root
};

struct Walked {
    Ref<Vnode> directory;  // that has the last component; the vnode itself if the path has none
                           // ("/", ".", "..")
    Ref<Vnode> vnode;
    std::array<char, kNameMax + 1> name_buffer{};
    std::size_t name_size = 0;
    bool ends_in_dot = false;        // the last component is "."
    bool ends_in_dots = false;       // it is ".."
    bool must_be_directory = false;  // trailing slash
    std::string_view name() const { return {name_buffer.data(), name_size}; }
    bool has_name() const { return name_size != 0; }
};

// `start`: where a relative path begins. Errors: NoEnt (also for an empty path), NotDir, Acces,
// Loop, NameTooLong, XDev, NoMem.
Result<> walk_path(FsContext& context, const Caller& caller, const Ref<Vnode>& start,
                   std::string_view path, const WalkHow& how, Walked& walked);

// The absolute path of a directory as seen from the context's root. NoEnt: it was removed.
Result<Text> path_of_directory(FsContext& context, Ref<Vnode> directory);
// Of any file, given the directory and name it was opened by.
Result<Text> path_of(FsContext& context, const Ref<Vnode>& directory, std::string_view name);

}  // namespace skep::kernel
