// An open regular file or directory.
#pragma once

#include <kernel/vfs/file.hpp>
#include <kernel/vfs/vnode.hpp>

namespace skep::kernel {

enum : int {
    kSeekSet = 0,
    kSeekCurrent = 1,
    kSeekEnd = 2,
    kSeekData = 3,
    kSeekHole = 4
};

class VnodeFile final : public File {
  public:
    VnodeFile(Ref<Vnode> vnode, std::uint32_t flags) : File(FileKind::Vnode, flags) {
        set_vnode(std::move(vnode));
    }

    Result<std::size_t> read(Uio&, std::uint64_t* offset) override;
    Result<std::size_t> write(Uio&, std::uint64_t* offset) override;
    Result<std::uint64_t> seek(std::int64_t offset, int whence) override;
    Result<std::uint64_t> ioctl(std::uint64_t request, UserAddr argument) override;
    Result<> truncate(std::uint64_t size) override;
    Result<> sync() override { return vnode()->sync(); }
    Result<Ref<VmObject>> mmap(const MmapRequest&, std::uint64_t* object_offset) override;
    Result<> read_directory(DirectorySink&) override;

  private:
    Mutex position_lock_{"VnodeFile position"};  // before the vnode's locks
    std::uint64_t position_ = 0;  // of directories: 0 ".", 1 "..", then 2 + the vnode's position
};

}  // namespace skep::kernel
