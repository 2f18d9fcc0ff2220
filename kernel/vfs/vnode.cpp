#include <kernel/vfs/vnode.hpp>

#include <kernel/base/make.hpp>
#include <kernel/ipc/fifo.hpp>
#include <kernel/vfs/device.hpp>
#include <kernel/vfs/file_system.hpp>
#include <kernel/vfs/record_locks.hpp>
#include <kernel/vfs/vnode_file.hpp>

namespace skep::kernel {

Vnode::Vnode(FileSystem& file_system, VnodeType type)
    : file_system_(Ref<FileSystem>(&file_system)), type_(type) {}

Vnode::~Vnode() {
    delete locks_;
}

Result<std::uint64_t> Vnode::seek_data(std::uint64_t offset, bool hole) {
    FileStat attributes;
    SKEP_TRY(stat(attributes));
    if (offset >= attributes.size)
        return fail(Errno::NxIo);
    return hole ? attributes.size : offset;
}

Result<Ref<File>> Vnode::open(std::uint32_t flags) {
    switch (type_) {
        case VnodeType::Regular:
        case VnodeType::Directory:
            return make_ref<VnodeFile>(Ref<Vnode>(this), flags);
        case VnodeType::Fifo:
            return open_fifo(*this, flags);
        case VnodeType::CharDevice:
        case VnodeType::BlockDevice: {
            FileStat attributes;
            SKEP_TRY(stat(attributes));
            Ref<Device> device = SKEP_TRY(find_device(type_, attributes.device_number));
            Ref<File> file = SKEP_TRY(device->open(flags));
            if (!file->vnode())
                file->set_vnode(Ref<Vnode>(this));
            return file;
        }
        case VnodeType::Socket:
            return fail(Errno::NxIo);
        case VnodeType::Symlink:
            return fail(Errno::Loop);
    }
    return fail(Errno::NxIo);
}

Result<RecordLocks*> Vnode::record_locks() {
    {
        SpinGuard guard(lock_);
        if (locks_)
            return locks_;
    }
    Owned<RecordLocks> fresh = SKEP_TRY(make_owned<RecordLocks>());
    SpinGuard guard(lock_);
    if (!locks_)
        locks_ = fresh.leak();
    return locks_;
}

Ref<RefCounted> Vnode::attachment() {
    SpinGuard guard(lock_);
    return attachment_;
}

Ref<RefCounted> Vnode::attach(Ref<RefCounted> object) {
    SpinGuard guard(lock_);
    if (!attachment_)
        attachment_ = object;
    Ref<RefCounted> kept = attachment_;
    guard.unlock();  // before `object` may be released
    return kept;
}

void Vnode::detach(RefCounted& object) {
    Ref<RefCounted> old;
    SpinGuard guard(lock_);
    if (attachment_.get() == &object)
        std::swap(old, attachment_);
    guard.unlock();
}

Ref<Vnode> Vnode::mounted_root() {
    return mounts().mounted_on(*this);
}

}  // namespace skep::kernel
