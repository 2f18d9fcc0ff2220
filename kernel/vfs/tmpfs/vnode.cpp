#include <kernel/vfs/tmpfs/tmpfs.hpp>

#include <kernel/base/make.hpp>
#include <kernel/sched/clock.hpp>

#include <algorithm>
#include <cstring>

namespace skep::kernel {

namespace {
constexpr std::uint64_t kSizeMax = 1ull << 62;
constexpr std::uint64_t kBytesPerEntry = 32;  // what a directory's size shows
}  // namespace

TmpfsVnode::TmpfsVnode(Tmpfs& tmpfs, const NewFile& what) : Vnode(tmpfs, what.type) {
    attributes_.device = tmpfs.id();
    attributes_.inode = tmpfs.next_inode_.fetch_add(1);
    attributes_.mode = mode_of(what.type) | (what.permissions & kModePermissions);
    attributes_.links = what.type == VnodeType::Directory ? 2 : 1;
    attributes_.user = what.user;
    attributes_.group = what.group;
    attributes_.device_number = what.device_number;
    set_times(realtime_now());
}

TmpfsVnode::~TmpfsVnode() = default;

Result<> TmpfsVnode::prepare(const NewFile& what) {
    if (what.type == VnodeType::Regular)
        pages_ = SKEP_TRY(make_ref<TmpfsPages>(tmpfs().pages_, Ref<FileSystem>(&file_system())));
    if (what.type == VnodeType::Symlink)
        target_ = SKEP_TRY(Text::copy(what.target));
    return {};
}

void TmpfsVnode::set_times(FileTime time) {
    SpinGuard guard(attributes_lock_);
    attributes_.accessed = attributes_.modified = attributes_.changed = attributes_.created = time;
}

void TmpfsVnode::touch(bool modified) {
    const FileTime now = realtime_now();
    SpinGuard guard(attributes_lock_);
    attributes_.changed = now;
    if (modified)
        attributes_.modified = now;
}

Result<> TmpfsVnode::stat(FileStat& stat) {
    SpinGuard guard(attributes_lock_);
    stat = attributes_;
    if (pages_) {
        stat.size = pages_->size();
        stat.blocks = pages_->pages() * (kPageSize / 512);
    } else if (type() == VnodeType::Symlink) {
        stat.size = target_.view().size();
    }
    return {};
}

Result<> TmpfsVnode::change(const AttributeChange& change) {
    Events events = 0;
    if (change.size) {
        if (!pages_)
            return fail(Errno::Inval);
        if (*change.size > kSizeMax)
            return fail(Errno::FBig);
        MutexGuard guard(write_lock_);
        events |= *change.size > pages_->size() ? kFileExtended : 0;
        SKEP_TRY(pages_->set_size(*change.size));
    }
    const FileTime now = realtime_now();
    {
        SpinGuard guard(attributes_lock_);
        if (change.permissions)
            attributes_.mode =
                (attributes_.mode & kModeTypeMask) | (*change.permissions & kModePermissions);
        if (change.user)
            attributes_.user = *change.user;
        if (change.group)
            attributes_.group = *change.group;
        if (change.size)
            attributes_.modified = now;
        if (change.accessed)
            attributes_.accessed = *change.accessed;
        if (change.modified)
            attributes_.modified = *change.modified;
        attributes_.changed = now;
    }
    changed(events | kFileAttributes);
    return {};
}

void TmpfsVnode::entry_added(TmpfsVnode& child) {
    if (child.is_directory()) {
        child.parent_ = Ref<TmpfsVnode>(this);
        SpinGuard guard(attributes_lock_);
        attributes_.links++;
    }
    {
        SpinGuard guard(attributes_lock_);
        attributes_.size += kBytesPerEntry;
    }
    touch(true);
    changed(kFileWritten | (child.is_directory() ? kFileLinks : 0));
}

void TmpfsVnode::entry_removed(TmpfsVnode& child) {
    {
        SpinGuard guard(attributes_lock_);
        if (child.is_directory())
            attributes_.links--;
        attributes_.size -= kBytesPerEntry;
    }
    touch(true);
    changed(kFileWritten | (child.is_directory() ? kFileLinks : 0));
}

Result<Ref<Vnode>> TmpfsVnode::lookup(std::string_view name) {
    if (!is_directory())
        return fail(Errno::NotDir);
    MutexGuard guard(tmpfs().namespace_);
    TmpfsEntry* entry = tmpfs().find(*this, name);
    if (!entry)
        return fail(Errno::NoEnt);
    return Ref<Vnode>(entry->vnode);
}

Result<Ref<Vnode>> TmpfsVnode::parent() {
    if (!is_directory())
        return fail(Errno::NotDir);
    MutexGuard guard(tmpfs().namespace_);
    return parent_ ? Ref<Vnode>(parent_) : Ref<Vnode>(this);
}

Result<std::size_t> TmpfsVnode::name_in_parent(std::span<char> buffer) {
    MutexGuard guard(tmpfs().namespace_);
    if (!entry_)
        return fail(Errno::NoEnt);
    return entry_->name.view().copy(buffer.data(), buffer.size());
}

Result<Vnode::Name> TmpfsVnode::any_name() {
    MutexGuard guard(tmpfs().namespace_);
    if (!entry_)
        return fail(Errno::NoEnt);
    return Name{Ref<Vnode>(entry_->directory), SKEP_TRY(Text::copy(entry_->name.view()))};
}

Result<Ref<Vnode>> TmpfsVnode::create(std::string_view name, const NewFile& what) {
    if (!is_directory())
        return fail(Errno::NotDir);
    Ref<TmpfsVnode> fresh = SKEP_TRY(make_ref<TmpfsVnode>(tmpfs(), what));
    SKEP_TRY(fresh->prepare(what));
    MutexGuard guard(tmpfs().namespace_);
    if (removed_)
        return fail(Errno::NoEnt);
    if (tmpfs().find(*this, name))
        return fail(Errno::Exist);
    SKEP_TRY(tmpfs().add(*this, name, fresh));
    entry_added(*fresh);
    return Ref<Vnode>(std::move(fresh));
}

Result<> TmpfsVnode::link(std::string_view name, Vnode& target) {
    if (&target.file_system() != &file_system())
        return fail(Errno::XDev);
    auto& file = static_cast<TmpfsVnode&>(target);
    if (file.is_directory())
        return fail(Errno::Perm);
    MutexGuard guard(tmpfs().namespace_);
    if (removed_)
        return fail(Errno::NoEnt);
    if (tmpfs().find(*this, name))
        return fail(Errno::Exist);
    SKEP_TRY(tmpfs().add(*this, name, Ref<TmpfsVnode>(&file)));
    {
        SpinGuard attributes(file.attributes_lock_);
        file.attributes_.links++;
    }
    file.touch(false);
    file.changed(kFileLinks);
    entry_added(file);
    return {};
}

Result<> TmpfsVnode::unlink(std::string_view name) {
    Ref<TmpfsVnode> gone;  // released after the lock
    MutexGuard guard(tmpfs().namespace_);
    TmpfsEntry* entry = tmpfs().find(*this, name);
    if (!entry)
        return fail(Errno::NoEnt);
    if (entry->vnode->is_directory())
        return fail(Errno::IsDir);
    gone = tmpfs().remove(*entry);
    bool last;
    {
        SpinGuard attributes(gone->attributes_lock_);
        last = --gone->attributes_.links == 0;
    }
    gone->touch(false);
    gone->changed(last ? kFileDeleted | kFileLinks : kFileLinks);
    entry_removed(*gone);
    guard.unlock();
    return {};
}

Result<> TmpfsVnode::remove_directory(std::string_view name) {
    Ref<TmpfsVnode> gone;
    MutexGuard guard(tmpfs().namespace_);
    TmpfsEntry* entry = tmpfs().find(*this, name);
    if (!entry)
        return fail(Errno::NoEnt);
    if (!entry->vnode->is_directory())
        return fail(Errno::NotDir);
    if (!entry->vnode->entries_.empty())
        return fail(Errno::NotEmpty);
    if (entry->vnode->has_mount())
        return fail(Errno::Busy);
    gone = tmpfs().remove(*entry);
    gone->removed_ = true;
    {
        SpinGuard attributes(gone->attributes_lock_);
        gone->attributes_.links = 0;
    }
    gone->changed(kFileDeleted);
    entry_removed(*gone);
    guard.unlock();
    return {};
}

bool TmpfsVnode::is_ancestor_of(TmpfsVnode* directory) {
    for (; directory; directory = directory->parent_.get())
        if (directory == this)
            return true;
    return false;
}

Result<> TmpfsVnode::rename(std::string_view name, Vnode& to, std::string_view new_name,
                            RenameHow how) {
    if (&to.file_system() != &file_system())
        return fail(Errno::XDev);
    auto& target = static_cast<TmpfsVnode&>(to);
    Ref<TmpfsVnode> replaced;  // released after the lock
    MutexGuard guard(tmpfs().namespace_);
    TmpfsEntry* source = tmpfs().find(*this, name);
    if (!source)
        return fail(Errno::NoEnt);
    if (target.removed_)
        return fail(Errno::NoEnt);
    Ref<TmpfsVnode> moved = source->vnode;
    if (moved->is_directory() && moved->is_ancestor_of(&target))
        return fail(Errno::Inval);
    TmpfsEntry* existing = tmpfs().find(target, new_name);
    if (how == RenameHow::NoReplace && existing)
        return fail(Errno::Exist);
    if (how == RenameHow::Exchange) {
        if (!existing)
            return fail(Errno::NoEnt);
        Ref<TmpfsVnode> other = existing->vnode;
        if (other->is_directory() && other->is_ancestor_of(this))
            return fail(Errno::Inval);
        std::swap(source->vnode, existing->vnode);
        entry_removed(*moved);
        target.entry_removed(*other);
        entry_added(*other);
        target.entry_added(*moved);
        moved->entry_ = existing;
        other->entry_ = source;
        return {};
    }
    if (existing) {
        if (existing->vnode == moved)
            return {};  // two names of one file: nothing happens, as POSIX asks
        if (moved->is_directory() && !existing->vnode->is_directory())
            return fail(Errno::NotDir);
        if (!moved->is_directory() && existing->vnode->is_directory())
            return fail(Errno::IsDir);
        if (existing->vnode->is_directory() && !existing->vnode->entries_.empty())
            return fail(Errno::NotEmpty);
        if (existing->vnode->has_mount())
            return fail(Errno::Busy);
        replaced = std::exchange(existing->vnode, moved);
        if (replaced->entry_ == existing)
            replaced->entry_ = nullptr;
        replaced->removed_ = replaced->is_directory();
        {
            SpinGuard attributes(replaced->attributes_lock_);
            replaced->attributes_.links =
                replaced->is_directory() ? 0 : replaced->attributes_.links - 1;
        }
        replaced->touch(false);
        replaced->changed(kFileDeleted);
        target.entry_removed(*replaced);
    } else {
        existing = SKEP_TRY(tmpfs().add(target, new_name, moved));
    }
    tmpfs().remove(*source);
    entry_removed(*moved);
    target.entry_added(*moved);
    moved->entry_ = existing;
    moved->touch(false);
    moved->changed(kFileRenamed);
    guard.unlock();
    return {};
}

Result<std::uint64_t> TmpfsVnode::read_directory(std::uint64_t position, DirectorySink& sink) {
    if (!is_directory())
        return fail(Errno::NotDir);
    MutexGuard guard(tmpfs().namespace_);
    for (TmpfsEntry& entry : entries_) {
        if (entry.position <= position)
            continue;
        if (!sink.add({entry.name.view(), entry.vnode->attributes_.inode, entry.vnode->type(),
                       entry.position}))
            break;
        position = entry.position;
    }
    return position;
}

Result<std::size_t> TmpfsVnode::read_link(std::span<char> buffer) {
    if (type() != VnodeType::Symlink)
        return fail(Errno::Inval);
    return target_.view().copy(buffer.data(), buffer.size());
}

Result<std::size_t> TmpfsVnode::read(Uio& uio, std::uint64_t offset) {
    if (!pages_)
        return fail(Errno::Inval);
    return pages_->read(uio, offset);
}

Result<std::size_t> TmpfsVnode::write(Uio& uio, std::uint64_t& offset, bool append) {
    if (!pages_)
        return fail(Errno::Inval);
    if (!uio.remaining())
        return 0;
    MutexGuard guard(write_lock_);
    const std::uint64_t before = pages_->size();
    if (append)
        offset = before;
    if (offset > kSizeMax || uio.remaining() > kSizeMax - offset)
        return fail(Errno::FBig);
    const std::size_t size = SKEP_TRY(pages_->write(uio, offset));
    touch(true);
    changed(offset + size > before ? kFileWritten | kFileExtended : kFileWritten);
    return size;
}

Result<> TmpfsVnode::allocate(std::uint64_t offset, std::uint64_t size, bool keep_size) {
    if (!pages_)
        return fail(Errno::NoDev);
    if (offset > kSizeMax || size > kSizeMax - offset)
        return fail(Errno::FBig);
    MutexGuard guard(write_lock_);
    SKEP_TRY(pages_->allocate(offset, offset + size));
    if (!keep_size)
        pages_->grow_to(offset + size);
    touch(true);
    return {};
}

Result<> TmpfsVnode::punch_hole(std::uint64_t offset, std::uint64_t size) {
    if (!pages_)
        return fail(Errno::NoDev);
    MutexGuard guard(write_lock_);
    SKEP_TRY(pages_->clear(
        offset, size > kSizeMax - std::min(offset, kSizeMax) ? kSizeMax : offset + size));
    touch(true);
    return {};
}

Result<std::uint64_t> TmpfsVnode::seek_data(std::uint64_t offset, bool hole) {
    if (!pages_)
        return Vnode::seek_data(offset, hole);
    return pages_->seek_data(offset, hole);
}

Result<Ref<VmObject>> TmpfsVnode::object() {
    if (!pages_)
        return fail(Errno::NoDev);
    return Ref<VmObject>(pages_);
}

Result<> TmpfsVnode::set_backing(std::span<const std::byte> bytes) {
    if (!pages_)
        return fail(Errno::Inval);
    pages_->set_backing(bytes);
    return {};
}

}  // namespace skep::kernel
