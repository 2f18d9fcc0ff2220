// A process's place in the tree: root, working directory, umask. Shared by its threads (and by
// processes made with CLONE_FS).
#pragma once

#include <kernel/base/make.hpp>
#include <kernel/vfs/vnode.hpp>

namespace skep::kernel {

class FsContext : public RefCounted {
  public:
    FsContext(Ref<Vnode> root, Ref<Vnode> working_directory, std::uint32_t umask = 022)
        : root_(std::move(root)), working_(std::move(working_directory)), umask_(umask) {}

    Result<Ref<FsContext>> copy() {
        return make_ref<FsContext>(root(), working_directory(), umask());
    }
    Ref<Vnode> root() {
        SpinGuard guard(lock_);
        return root_;
    }
    Ref<Vnode> working_directory() {
        SpinGuard guard(lock_);
        return working_;
    }
    void set_root(Ref<Vnode> directory) { exchange(root_, std::move(directory)); }
    void set_working_directory(Ref<Vnode> directory) { exchange(working_, std::move(directory)); }
    std::uint32_t umask() const { return umask_.load(std::memory_order_relaxed); }
    std::uint32_t set_umask(std::uint32_t mask) { return umask_.exchange(mask & 0777); }

  private:
    void exchange(Ref<Vnode>& place, Ref<Vnode> directory) {
        SpinGuard guard(lock_);
        std::swap(place, directory);
        guard.unlock();  // before the old directory is released
    }
    SpinLock lock_{"FsContext"};
    Ref<Vnode> root_, working_;
    std::atomic<std::uint32_t> umask_;
};

}  // namespace skep::kernel
