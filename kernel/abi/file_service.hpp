// What calls on files do, where both personalities agree: locks, copying between files, *at calls.
#pragma once

#include <kernel/vfs/file.hpp>
#include <kernel/vfs/record_locks.hpp>
#include <kernel/vfs/stat.hpp>

#include <optional>

namespace skep::kernel::abi {

// struct flock, whatever its layout: `whence` and `start` say where, `size` 0 means to the end,
// below 0 before.
struct LockRange {
    LockType type = LockType::Unlock;
    int whence = 0;
    std::int64_t start = 0, size = 0;
    std::int32_t process = 0;
};
enum class LockOwner : std::uint8_t {
    Process,
    OpenFile
};

// F_SETLK. Again, Intr, BadF (not open for it), Inval, Overflow.
Result<> set_record_lock(const Ref<File>&, LockOwner, const LockRange&, bool wait);
// F_GETLK: the first lock in the way, else the same range with type Unlock.
Result<LockRange> find_record_lock(const Ref<File>&, LockOwner, const LockRange&);
// flock(2): LOCK_SH 1, LOCK_EX 2, LOCK_NB 4, LOCK_UN 8.
Result<> lock_whole_file(File&, std::uint64_t operation);

// From `in` to `out`; offsets null: the file's position. -> bytes moved; what was read and not
// written is given back.
Result<std::uint64_t> copy_between(File& in, std::uint64_t* in_offset, File& out,
                                   std::uint64_t* out_offset, std::size_t size);

// As readlink(2). -> bytes stored.
Result<std::uint64_t> read_link(Vnode&, UserAddr buffer, std::uint64_t size);

struct FileTimes {
    std::optional<FileTime> accessed, modified;
    bool now = false;  // both are the current time
};
Result<> set_file_times(Vnode&, const FileTimes&);
// Two timevals, or null for now.
Result<FileTimes> timevals_argument(UserAddr from);

// fcntl(F_SETFL)
void change_status_flags(File&, std::uint32_t wanted);

// An unnamed file in memory (memfd, shm_open(SHM_ANON)), open for reading and writing.
Result<Ref<File>> open_memory_file(std::string_view shown_name);
// Where such files have names (POSIX shared memory). It is not mounted: no path leads there.
Result<Ref<Vnode>> memory_directory();

}  // namespace skep::kernel::abi
