// A file of any file system, named or not. Vnodes are shared by everyone who refers to the file.
//
// Name arguments are single components, never empty, "." or "..", at most 255 bytes. Permissions
// were checked by the caller (kernel/vfs/operations.cpp). Each file system locks for itself.
#pragma once

#include <kernel/base/ref.hpp>
#include <kernel/base/text.hpp>
#include <kernel/event/source.hpp>
#include <kernel/mm/user.hpp>
#include <kernel/mm/vm_object.hpp>
#include <kernel/sync/wait.hpp>
#include <kernel/vfs/caller.hpp>
#include <kernel/vfs/stat.hpp>

#include <optional>
#include <string_view>

namespace skep::kernel {

class File;
class FileSystem;
class Vnode;
class RecordLocks;

// The fields that are present change; `changed` always does.
struct AttributeChange {
    std::optional<std::uint32_t> permissions = {}, user = {}, group = {};
    std::optional<std::uint64_t> size = {};
    std::optional<FileTime> accessed = {}, modified = {};
};

struct DirectoryEntry {
    std::string_view name;
    std::uint64_t inode;
    VnodeType type;
    std::uint64_t next;  // position after this entry
};

class DirectorySink {
  public:
    // False: no room, stop before this entry. Called with the file system's locks held: must not
    // sleep on user memory.
    virtual bool add(const DirectoryEntry&) = 0;

  protected:
    ~DirectorySink() = default;
};

// What a new file is to be.
struct NewFile {
    VnodeType type = VnodeType::Regular;
    std::uint32_t permissions = 0, user = 0, group = 0;
    std::uint64_t device_number = 0;
    std::string_view target = {};  // of a symlink
};

enum class RenameHow : std::uint8_t {
    Replace,
    NoReplace,
    Exchange
};

class Vnode : public RefCounted {
  public:
    Vnode(FileSystem& file_system, VnodeType type);
    ~Vnode() override;
    FileSystem& file_system() const { return *file_system_; }
    VnodeType type() const { return type_; }
    bool is_directory() const { return type_ == VnodeType::Directory; }

    virtual Result<> stat(FileStat&) = 0;
    virtual Result<> change(const AttributeChange&) { return fail(Errno::Perm); }

    // Directories.
    virtual Result<Ref<Vnode>> lookup(std::string_view) { return fail(Errno::NotDir); }
    virtual Result<Ref<Vnode>> parent() { return fail(Errno::NotDir); }  // the root's is itself
    // The name under which parent() has this directory. -> length, NoEnt if it was removed.
    virtual Result<std::size_t> name_in_parent(std::span<char>) { return fail(Errno::NoEnt); }
    // One of the names of a file of any kind, if the file system knows (for /proc/PID/exe). NoEnt:
    // none is left.
    struct Name {
        Ref<Vnode> directory;
        Text name;
    };
    virtual Result<Name> any_name() { return fail(Errno::NoEnt); }
    virtual Result<Ref<Vnode>> create(std::string_view, const NewFile&) {
        return fail(Errno::RoFs);
    }
    virtual Result<> link(std::string_view, Vnode&) { return fail(Errno::RoFs); }
    virtual Result<> unlink(std::string_view) {
        return fail(Errno::RoFs);
    }  // IsDir for directories
    virtual Result<> remove_directory(std::string_view) {
        return fail(Errno::RoFs);
    }  // NotDir, NotEmpty
    virtual Result<> rename(std::string_view, Vnode&, std::string_view, RenameHow) {
        return fail(Errno::RoFs);
    }
    // Entries from `position` (0 = first; "." and ".." are added by the caller) on. -> position to
    // go on from.
    virtual Result<std::uint64_t> read_directory(std::uint64_t, DirectorySink&) {
        return fail(Errno::NotDir);
    }

    // Symlinks.
    virtual Result<std::size_t> read_link(std::span<char>) { return fail(Errno::Inval); }
    // A link to a file itself rather than to a name (/proc/self/exe); null for ordinary links.
    virtual Result<Ref<Vnode>> follow() { return Ref<Vnode>(); }

    // Regular files.
    virtual Result<std::size_t> read(Uio&, std::uint64_t) { return fail(Errno::Inval); }
    // `append`: the offset is the file's end, whatever it says; on return the offset written at.
    virtual Result<std::size_t> write(Uio&, std::uint64_t&, bool append) {
        (void)append;
        return fail(Errno::Inval);
    }
    virtual Result<> allocate(std::uint64_t, std::uint64_t, bool keep_size) {
        (void)keep_size;
        return fail(Errno::OpNotSupp);
    }
    virtual Result<> punch_hole(std::uint64_t, std::uint64_t) { return fail(Errno::OpNotSupp); }
    // SEEK_DATA / SEEK_HOLE: the next offset with data / of a hole. NxIo past the end.
    virtual Result<std::uint64_t> seek_data(std::uint64_t offset, bool hole);
    virtual Result<> sync() { return {}; }
    virtual Result<Ref<VmObject>> object() { return fail(Errno::NoDev); }

    // An open file for this vnode; `flags` as in File. The default is a VnodeFile for regular files
    // and directories, a fifo's end, or the device's file.
    virtual Result<Ref<File>> open(std::uint32_t flags);

    EventSource& events() { return events_; }
    void changed(Events what) { events_.notify(what); }

    // Made on first use (kernel/vfs/record_locks.hpp).
    Result<RecordLocks*> record_locks();
    RecordLocks* record_locks_if_any() const { return locks_; }

    // What else belongs to the file while it lives: a fifo's pipe, a bound Unix socket.
    Ref<RefCounted> attachment();
    Ref<RefCounted> attach(Ref<RefCounted>);  // if there is none yet; -> the one there is
    void detach(RefCounted&);

    // The root of the file system mounted here, or null.
    Ref<Vnode> mounted_root();
    bool has_mount() const { return mounted_.load(std::memory_order_relaxed) != nullptr; }

  private:
    friend class FileSystem;
    friend class MountTable;
    Ref<FileSystem> file_system_;
    VnodeType type_;
    EventSource events_;
    SpinLock lock_{"Vnode"};
    Ref<RefCounted> attachment_;
    std::atomic<FileSystem*> mounted_{nullptr};  // the mount table owns it
    RecordLocks* locks_ = nullptr;
};

}  // namespace skep::kernel
