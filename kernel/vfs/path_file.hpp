// What O_PATH opens: it names a file for *at calls, fstat and fchdir, and can do nothing else.
#pragma once

#include <kernel/vfs/file.hpp>
#include <kernel/vfs/vnode.hpp>

namespace skep::kernel {

class PathFile final : public File {
  public:
    PathFile(Ref<Vnode> vnode, std::uint32_t flags) : File(FileKind::Vnode, flags & kOpenPath) {
        set_vnode(std::move(vnode));
    }
    Result<std::size_t> read(Uio&, std::uint64_t*) override { return fail(Errno::BadF); }
    Result<std::size_t> write(Uio&, std::uint64_t*) override { return fail(Errno::BadF); }
    Result<std::uint64_t> seek(std::int64_t, int) override { return fail(Errno::BadF); }
    Result<std::uint64_t> ioctl(std::uint64_t, UserAddr) override { return fail(Errno::BadF); }
    Result<> truncate(std::uint64_t) override { return fail(Errno::BadF); }
    Result<> sync() override { return fail(Errno::BadF); }
};

}  // namespace skep::kernel
