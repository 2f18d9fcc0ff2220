// A file system, and where it is mounted: each is mounted in one place. The mount table's lock
// comes after every vnode lock.
#pragma once

#include <kernel/base/list.hpp>
#include <kernel/base/text.hpp>
#include <kernel/vfs/vnode.hpp>

namespace skep::kernel {

class FileSystem : public RefCounted, public ListNode<> {
  public:
    FileSystem();
    std::uint64_t id() const { return id_; }  // st_dev
    virtual const char* type() const = 0;
    virtual Ref<Vnode> root() = 0;
    virtual Result<> stat(FileSystemStat&) = 0;
    virtual Result<> sync() { return {}; }
    // A regular file with no name.
    virtual Result<Ref<Vnode>> create_unnamed(const NewFile&) { return fail(Errno::OpNotSupp); }
    // It was unmounted: give up the references that vnodes hold on one another. Open files live on.
    virtual void on_unmount() {}

    Ref<Vnode> covered();  // the directory that it is mounted on; null for the root file system
    std::string_view source() const { return source_.view(); }

  private:
    friend class MountTable;
    std::uint64_t id_;
    Ref<Vnode> covered_;
    Text source_;
};

class MountTable {
  public:
    // `on` null: the root file system. Busy: something is mounted there already.
    Result<> mount(Ref<FileSystem>, Ref<Vnode> on, std::string_view source);
    // `root`: the root of a mounted file system (else Inval). It disappears from the tree at once
    // and lives on while files in it are open. Busy: other file systems are mounted in it.
    Result<> unmount(Vnode& root);
    Ref<Vnode> root();
    Ref<FileSystem> next(const FileSystem* after);  // to list them; null = the first
    Result<> sync_all();

    Ref<Vnode> mounted_on(const Vnode&);
    Ref<Vnode> covered_by(const FileSystem&);

  private:
    SpinLock lock_{"MountTable"};
    List<FileSystem> mounted_;
};

MountTable& mounts();

}  // namespace skep::kernel
