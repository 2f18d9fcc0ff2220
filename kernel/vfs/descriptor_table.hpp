// The descriptors of a process, shared by its threads.
#pragma once

#include <kernel/base/make.hpp>
#include <kernel/base/vector.hpp>
#include <kernel/vfs/file.hpp>

namespace skep::kernel {

class DescriptorTable : public RefCounted {
  public:
    // The hard ceiling, whatever a process's limit says.
    static constexpr std::uint32_t kMax = 1 << 20;

    ~DescriptorTable() override { close_all(); }

    // fork(): the same open files, the flags kept.
    Result<Ref<DescriptorTable>> copy();

    // BadF
    Result<Ref<File>> get(std::uint32_t descriptor);
    // The lowest free number >= `minimum`. MFile: none below `limit`.
    Result<std::uint32_t> add(Ref<File>, bool close_on_exec, std::uint32_t limit,
                              std::uint32_t minimum = 0);
    // As dup2: what was there is closed. BadF: `descriptor` >= limit.
    Result<> replace(std::uint32_t descriptor, Ref<File>, bool close_on_exec, std::uint32_t limit);
    Result<> close(std::uint32_t descriptor);
    void close_range(std::uint32_t first, std::uint32_t last);
    void set_close_on_exec_range(std::uint32_t first, std::uint32_t last);
    Result<bool> close_on_exec(std::uint32_t descriptor);
    Result<> set_close_on_exec(std::uint32_t descriptor, bool);
    void close_for_exec();
    void close_all();  // at exit
    // The first open descriptor >= `from` (to list them); NoEnt: none.
    Result<std::uint32_t> next(std::uint32_t from);
    std::uint32_t open_count();

    // Whose record locks (POSIX) are whose: a process's table, so that any close of a file releases
    // them.
    const void* lock_owner() const { return this; }

  private:
    struct Entry {
        Ref<File> file;
        bool close_on_exec = false;
    };
    Result<> grow_to(std::uint32_t size, SpinGuard&);
    // With the lock held: takes an entry out. The caller finishes it without the lock.
    Ref<File> take(std::uint32_t descriptor);
    void finish_close(std::uint32_t descriptor, Ref<File>);

    SpinLock lock_{"DescriptorTable"};
    Vector<Entry> entries_;
    std::uint32_t lowest_free_ = 0;  // no free number below it
};

}  // namespace skep::kernel
