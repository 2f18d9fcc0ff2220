#include <kernel/vfs/vnode_file.hpp>

#include <kernel/mm/vm_object.hpp>
#include <kernel/vfs/ioctl.hpp>

#include <limits>
#include <optional>

namespace skep::kernel {

namespace {
constexpr std::uint64_t kOffsetMax = std::numeric_limits<std::int64_t>::max();
}

Result<std::size_t> VnodeFile::read(Uio& uio, std::uint64_t* offset) {
    if (vnode()->is_directory())
        return fail(Errno::IsDir);
    if (offset)
        return vnode()->read(uio, *offset);
    MutexGuard guard(position_lock_);
    const std::size_t size = SKEP_TRY(vnode()->read(uio, position_));
    position_ += size;
    return size;
}

Result<std::size_t> VnodeFile::write(Uio& uio, std::uint64_t* offset) {
    const bool append = flags() & kOpenAppend;
    std::uint64_t at = offset ? *offset : 0;
    if (offset) {
        if (at > kOffsetMax || uio.remaining() > kOffsetMax - at)
            return fail(Errno::FBig);
        return vnode()->write(uio, at, append);
    }
    MutexGuard guard(position_lock_);
    at = position_;
    if (uio.remaining() > kOffsetMax - at)
        return fail(Errno::FBig);
    const std::size_t size = SKEP_TRY(vnode()->write(uio, at, append));
    position_ = at + size;
    return size;
}

Result<std::uint64_t> VnodeFile::seek(std::int64_t offset, int whence) {
    MutexGuard guard(position_lock_);
    std::uint64_t base = 0;
    switch (whence) {
        case kSeekSet:
            break;
        case kSeekCurrent:
            base = position_;
            break;
        case kSeekEnd: {
            FileStat stat;
            SKEP_TRY(vnode()->stat(stat));
            base = stat.size;
            break;
        }
        case kSeekData:
        case kSeekHole:
            if (offset < 0)
                return fail(Errno::NxIo);
            return position_ = SKEP_TRY(
                       vnode()->seek_data(static_cast<std::uint64_t>(offset), whence == kSeekHole));
        default:
            return fail(Errno::Inval);
    }
    std::int64_t target;
    if (__builtin_add_overflow(static_cast<std::int64_t>(base), offset, &target))
        return fail(Errno::Overflow);
    if (target < 0)
        return fail(Errno::Inval);
    return position_ = static_cast<std::uint64_t>(target);
}

Result<std::uint64_t> VnodeFile::ioctl(std::uint64_t request, UserAddr argument) {
    if (request != kIoctlBytesReadable)
        return fail(Errno::NoTty);
    FileStat stat;
    SKEP_TRY(vnode()->stat(stat));
    MutexGuard guard(position_lock_);
    const std::uint64_t left = stat.size > position_ ? stat.size - position_ : 0;
    const int shown = left > std::numeric_limits<int>::max() ? std::numeric_limits<int>::max()
                                                             : static_cast<int>(left);
    SKEP_TRY(copy_out(argument, shown));
    return 0;
}

Result<> VnodeFile::truncate(std::uint64_t size) {
    if (vnode()->is_directory())
        return fail(Errno::IsDir);
    return vnode()->change({.size = size});
}

Result<Ref<VmObject>> VnodeFile::mmap(const MmapRequest& request, std::uint64_t* object_offset) {
    if (!(flags() & kOpenRead))
        return fail(Errno::Acces);
    constexpr std::uint32_t kProtectionWrite = 2;
    if (request.shared && (request.protection & kProtectionWrite) && !(flags() & kOpenWrite))
        return fail(Errno::Acces);
    *object_offset = request.offset;
    return vnode()->object();
}

Result<> VnodeFile::read_directory(DirectorySink& sink) {
    if (!vnode()->is_directory())
        return fail(Errno::NotDir);
    MutexGuard guard(position_lock_);
    FileStat stat;
    if (position_ == 0) {
        SKEP_TRY(vnode()->stat(stat));
        if (!sink.add({".", stat.inode, VnodeType::Directory, 1}))
            return {};
        position_ = 1;
    }
    if (position_ == 1) {
        Ref<Vnode> parent = SKEP_TRY(vnode()->parent());
        SKEP_TRY(parent->stat(stat));
        if (!sink.add({"..", stat.inode, VnodeType::Directory, 2}))
            return {};
        position_ = 2;
    }
    // The file system counts its positions from 0.
    struct Shifted final : DirectorySink {
        DirectorySink& inner;
        explicit Shifted(DirectorySink& sink) : inner(sink) {}
        bool add(const DirectoryEntry& entry) override {
            DirectoryEntry shifted = entry;
            shifted.next += 2;
            return inner.add(shifted);
        }
    } shifted(sink);
    position_ = 2 + SKEP_TRY(vnode()->read_directory(position_ - 2, shifted));
    return {};
}

}  // namespace skep::kernel
