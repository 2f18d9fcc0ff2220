// Files in memory. The root file system is one that was filled from the boot archive, whose pages
// it uses in place. Also the tree of device nodes (kernel/vfs/device.hpp) and memfd.
//
// Locks: one mutex per file system for names (namespace_), then one per file for its pages.
// Attributes are under a spin lock of their own. User memory is touched under none of them but a
// file's write mutex, which page faults do not take.
#pragma once

#include <kernel/mm/vm_object.hpp>
#include <kernel/vfs/file_system.hpp>
#include <kernel/vfs/page_tree.hpp>

#include <array>

namespace skep::kernel {

class TmpfsVnode;

struct TmpfsEntry : ListNode<> {  // in its directory, by position
    Text name;
    Ref<TmpfsVnode> vnode;
    TmpfsVnode* directory = nullptr;
    std::uint64_t position = 0;
    TmpfsEntry* next_in_bucket = nullptr;
};

class Tmpfs final : public FileSystem {
  public:
    // `type`: as shown in /proc/mounts.
    static Result<Ref<Tmpfs>> create(const char* type = "tmpfs", std::uint32_t permissions = 0755);
    const char* type() const override { return type_; }
    Ref<Vnode> root() override;
    Result<> stat(FileSystemStat&) override;
    Result<Ref<Vnode>> create_unnamed(const NewFile&) override;
    void on_unmount() override;

  private:
    friend class TmpfsVnode;
    template <typename T, typename... A>
    friend Result<Ref<T>> make_ref(A&&...);
    explicit Tmpfs(const char* type) : type_(type) {}

    std::size_t bucket(const TmpfsVnode& directory, std::string_view name) const;
    TmpfsEntry* find(const TmpfsVnode& directory, std::string_view name);
    Result<TmpfsEntry*> add(TmpfsVnode& directory, std::string_view name, Ref<TmpfsVnode>);
    Ref<TmpfsVnode> remove(TmpfsEntry&);

    const char* type_;
    Mutex namespace_{"Tmpfs namespace"};
    Vector<TmpfsEntry*> buckets_;
    SpinLock root_lock_{"Tmpfs root"};
    Ref<TmpfsVnode> root_;
    std::atomic<std::uint64_t> next_inode_{1}, files_{0}, pages_{0};
};

// The pages of a regular file, shared with the mappings that show it.
class TmpfsPages final : public VmObject {
  public:
    explicit TmpfsPages(std::atomic<std::uint64_t>& counter, Ref<FileSystem> keep)
        : counter_(counter), keep_(std::move(keep)) {}
    ~TmpfsPages() override;

    Result<ObjectPage> page(std::uint64_t index, bool write) override;

    // Content from the boot archive; frames of it that hold nothing else are used in place.
    void set_backing(std::span<const std::byte> archive_bytes);

    std::uint64_t size() const { return size_.load(std::memory_order_acquire); }
    std::uint64_t pages() const { return present_.load(std::memory_order_relaxed); }
    Result<> set_size(std::uint64_t);
    void grow_to(std::uint64_t);
    Result<std::size_t> read(Uio&, std::uint64_t offset);
    Result<std::size_t> write(Uio&, std::uint64_t offset);
    Result<> allocate(std::uint64_t first, std::uint64_t end);
    Result<> clear(std::uint64_t offset, std::uint64_t end);
    Result<std::uint64_t> seek_data(std::uint64_t offset, bool hole);

  private:
    Result<PhysAddr> frame_locked(std::uint64_t index, bool create);  // null frame: a hole
    Result<> zero_locked(std::uint64_t index, std::size_t from, std::size_t to);
    void drop_locked(std::uint64_t first, std::uint64_t end);
    bool backed(std::uint64_t index) const { return index * kPageSize < backing_.size(); }

    Mutex lock_{"TmpfsPages"};
    PageTree tree_;
    std::span<const std::byte> backing_;
    std::atomic<std::uint64_t> size_{0}, present_{0};
    std::atomic<std::uint64_t>& counter_;
    Ref<FileSystem> keep_;  // that has the counter
};

class TmpfsVnode final : public Vnode {
  public:
    TmpfsVnode(Tmpfs&, const NewFile&);
    ~TmpfsVnode() override;

    Result<> stat(FileStat&) override;
    Result<> change(const AttributeChange&) override;
    Result<Ref<Vnode>> lookup(std::string_view) override;
    Result<Ref<Vnode>> parent() override;
    Result<std::size_t> name_in_parent(std::span<char>) override;
    Result<Name> any_name() override;
    Result<Ref<Vnode>> create(std::string_view, const NewFile&) override;
    Result<> link(std::string_view, Vnode&) override;
    Result<> unlink(std::string_view) override;
    Result<> remove_directory(std::string_view) override;
    Result<> rename(std::string_view, Vnode&, std::string_view, RenameHow) override;
    Result<std::uint64_t> read_directory(std::uint64_t, DirectorySink&) override;
    Result<std::size_t> read_link(std::span<char>) override;
    Result<std::size_t> read(Uio&, std::uint64_t) override;
    Result<std::size_t> write(Uio&, std::uint64_t&, bool append) override;
    Result<> allocate(std::uint64_t, std::uint64_t, bool keep_size) override;
    Result<> punch_hole(std::uint64_t, std::uint64_t) override;
    Result<std::uint64_t> seek_data(std::uint64_t, bool hole) override;
    Result<Ref<VmObject>> object() override;

    // For the archive reader.
    Result<> set_backing(std::span<const std::byte>);
    void set_times(FileTime);

  private:
    friend class Tmpfs;
    Tmpfs& tmpfs() const { return static_cast<Tmpfs&>(file_system()); }
    Result<> prepare(const NewFile&);
    void touch(bool modified);
    bool is_ancestor_of(TmpfsVnode* directory);
    // All with the namespace lock held.
    void entry_added(TmpfsVnode& child);
    void entry_removed(TmpfsVnode& child);

    SpinLock attributes_lock_{"TmpfsVnode attributes"};
    FileStat attributes_;

    // A regular file.
    Ref<TmpfsPages> pages_;
    Mutex write_lock_{"TmpfsVnode write"};
    // A symlink.
    Text target_;
    // Under the namespace lock. One of the file's names; a directory has no other. Null: none that
    // is known.
    TmpfsEntry* entry_ = nullptr;
    // A directory; under the namespace lock.
    List<TmpfsEntry> entries_;
    std::uint64_t next_position_ = 1;
    Ref<TmpfsVnode> parent_;
    bool removed_ = false;
};

}  // namespace skep::kernel
